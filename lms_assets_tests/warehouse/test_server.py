"""Which rights a user lacks, from what MySQL and MariaDB say with SHOW GRANTS."""

from __future__ import annotations

import pytest

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.server import FOR_RUNS, FOR_UPGRADES, missing_rights, server_facts

TABLES = ("partners", "contacts")
USAGE = "GRANT USAGE ON *.* TO `portal`@`%` IDENTIFIED BY PASSWORD '*A0'"


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `portal`@`%` WITH GRANT OPTION"], ()),
        ([USAGE, "GRANT ALL PRIVILEGES ON `portal`.* TO `portal`@`%`"], ()),
        ([USAGE, r"GRANT SELECT, INSERT, UPDATE, DELETE ON `port\_al`.* TO `portal`@`%`"], FOR_RUNS),
        ([USAGE, "GRANT SELECT, INSERT, UPDATE, DELETE ON `port%`.* TO `portal`@`%`"], ()),
        ([USAGE], FOR_RUNS),
        ([USAGE, "GRANT SELECT, INSERT ON `portal`.* TO `portal`@`%`"], ("UPDATE", "DELETE")),
        ([USAGE, "GRANT SELECT, INSERT, UPDATE, DELETE ON `other`.* TO `portal`@`%`"], FOR_RUNS),
        (
            [
                "GRANT SELECT, INSERT, UPDATE ON `portal`.* TO `portal`@`%`",
                "GRANT DELETE ON `portal`.`partners` TO `portal`@`%`",
            ],
            ("DELETE",),
        ),
        (
            [
                "GRANT SELECT, INSERT, UPDATE ON `portal`.* TO `portal`@`%`",
                "GRANT DELETE ON `portal`.`partners` TO `portal`@`%`",
                "GRANT DELETE ON `portal`.`contacts` TO `portal`@`%`",
            ],
            (),
        ),
        ([USAGE, "GRANT `writer`@`%` TO `portal`@`%`"], None),
        (["GRANT `writer`@`%` TO `portal`@`%`", "GRANT ALL PRIVILEGES ON `portal`.* TO `portal`@`%`"], ()),
    ],
)
def test_what_the_grants_do_not_give(grants: list[str], missing: tuple[str, ...] | None):
    assert missing_rights(grants, "portal", TABLES) == missing


def test_a_real_server_says_what_it_allows(mariadb, mariadb_url: str):
    database = mariadb_url.rpartition("/")[2]
    mariadb.execute(
        "CREATE OR REPLACE USER reader@'127.0.0.1' IDENTIFIED BY 'r3ader-of-tests'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO reader@'127.0.0.1'",
    )
    url = f"mysql://reader:r3ader-of-tests@127.0.0.1:{mariadb.port}/{database}"
    warehouse = Warehouse(url)
    with warehouse.read() as connection:
        facts = server_facts(connection)
    warehouse.close()
    assert missing_rights(facts.grants, facts.database, TABLES) == ()
    assert missing_rights(facts.grants, facts.database, TABLES, FOR_UPGRADES) == FOR_UPGRADES[4:]
    assert (facts.charset, facts.database) == ("utf8mb4", database)
    assert facts.max_allowed_packet >= 2**20
    assert facts.now.tzinfo is not None
