"""All reports of a Monday at the real volume: 1,500 partners, 60 PAMs. Bound: 30 s and 500 MB on two cores.

    python -m benchmarks.reports

Prints seconds and the peak of memory; exit code 1 above a bound.
"""

from __future__ import annotations

import resource
import sys
import time

from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.rendering.render import Renderer
from lms_assets_tests.reports.scenarios import show_scenario

PARTNERS, PAMS = 1500, 60
BOUND_SECONDS, BOUND_MEGABYTES = 30.0, 500.0


def main() -> int:
    begun = time.perf_counter()
    vendor_state = show_scenario(partners=PARTNERS, owners=PAMS, people_each=4, attempts_each=20)
    filled = time.perf_counter()
    renderer = Renderer(vendor_state.config)
    size = 0
    for number in range(1, PAMS + 1):
        size = max(size, len(renderer.render(build_pam_report(vendor_state, [f"Owner {number}"])).html.encode()))
    pams = time.perf_counter()
    size = max(size, len(renderer.render(build_executive_report(vendor_state)).html.encode()))
    done = time.perf_counter()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(vendor_state.names):,} people, {len(vendor_state.held):,} times held")
    print(f"making the vendor state: {filled - begun:.1f} s")
    print(f"{PAMS} PAM reports: {pams - filled:.1f} s; executive report: {done - pams:.1f} s")
    print(
        f"all reports: {done - filled:.1f} s of {BOUND_SECONDS:.0f}; peak {megabytes:.0f} MB of {BOUND_MEGABYTES:.0f}"
    )
    print(f"largest HTML: {size / 1000:.1f} kB")
    return int(done - filled > BOUND_SECONDS or megabytes > BOUND_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
