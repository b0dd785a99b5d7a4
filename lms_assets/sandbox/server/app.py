"""The Starlette application: both vendors' routes, the control API, the index page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from lms_assets.sandbox.calls.exchange import Vendor
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.impartner import api as impartner_api
from lms_assets.sandbox.northpass import api as northpass_api
from lms_assets.sandbox.sandbox import Sandbox
from lms_assets.sandbox.seeding.build import build_vendor_state
from lms_assets.sandbox.server import control
from lms_assets.sandbox.server.middleware import BASES, ApiEndpoint

_ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(config: SandboxConfig) -> Starlette:
    """The application over a newly built vendor state; `app.state.sandbox` is the sandbox behind it."""
    return app_of(Sandbox(config, build_vendor_state(config)))


def app_of(sandbox: Sandbox) -> Starlette:
    """The application over an existing sandbox."""
    routes: list[BaseRoute] = [
        *_vendor_routes(sandbox, "northpass", list(northpass_api.ENDPOINTS)),
        *_vendor_routes(sandbox, "impartner", list(impartner_api.ENDPOINTS)),
        *control.routes(sandbox),
    ]
    app = Starlette(routes=routes)
    app.state.sandbox = sandbox
    return app


def _vendor_routes(sandbox: Sandbox, vendor: Vendor, templates: list[str]) -> list[BaseRoute]:
    """A route for each endpoint, and one for whatever else is asked of the vendor: that counts and is limited too."""
    routes: list[BaseRoute] = []
    for template in templates:
        method, path = template.split(" ")
        routes.append(Route(BASES[vendor] + path, ApiEndpoint(sandbox, vendor, template), methods=[method]))
    routes.append(Route(BASES[vendor] + "/{path:path}", ApiEndpoint(sandbox, vendor, None), methods=_ALL_METHODS))
    return routes
