"""A resource is its variables: given in Dagster, made by hand, or with a value in their place."""

from __future__ import annotations

import dagster as dg
import pytest

from lms_assets.resources import RESOURCES, NorthpassResource, OutsideSystem, WarehouseResource

ENVIRONMENT = {
    "NORTHPASS_BASE_URL": "http://127.0.0.1:9/v2",
    "NORTHPASS_API_KEY": "a-key-of-the-lms",
    "IMPARTNER_BASE_URL": "http://127.0.0.1:9/api/objects/v1",
    "IMPARTNER_API_KEY": "a-key-of-the-crm",
    "LMS_WAREHOUSE_URL": "sqlite:////tmp/warehouse.db",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LMS_RULES_FILE", raising=False)


@pytest.mark.parametrize("resource", [WarehouseResource(), WarehouseResource.of_environment()])
def test_made_by_hand_it_reads_the_environment(resource: OutsideSystem):
    """As the executor does, before Dagster makes any resource."""
    settings = resource.settings()
    assert settings.warehouse_url == ENVIRONMENT["LMS_WAREHOUSE_URL"]
    assert settings.rules_file is None


def test_a_value_stands_before_its_variable():
    assert NorthpassResource(api_key="another-key").settings().northpass.api_key == "another-key"


def test_dagster_shows_the_variables_and_no_value():
    @dg.asset
    def uses(northpass: NorthpassResource) -> None:
        assert northpass.settings().northpass.api_key == ENVIRONMENT["NORTHPASS_API_KEY"]

    result = dg.materialize([uses], resources={"northpass": RESOURCES["northpass"]})
    assert result.success
    assert ENVIRONMENT["NORTHPASS_API_KEY"] not in str(result.dagster_run.run_config)
