"""What is shown of the test signals of the standard of ECG monitors.

`python -m benchmarks.monitor` prints JSON.
"""

from typing import Any

from benchmarks.common import answer, report
from telesurv.evaluate import monitor
from telesurv.simulate.monitor_cases import CASES, Case


def measured(case: Case) -> dict[str, Any]:
    """Return what a case gives."""
    found = monitor.show(case)
    result: dict[str, Any] = {
        "about": case.about,
        "faults": monitor.faults(case, found),
        "rate_per_min": round(float(found.per_min[-1]), 1) if len(found.per_min) else None,
        "wanted_per_min": case.rate_per_min,
    }
    if case.alarms:
        raised = monitor.alarm(found, case)
        assert case.change_s is not None
        result["alarm"] = raised and [raised.condition, raised.detected_s - case.change_s]
    elif case.name.startswith("step"):
        result["right_s"] = monitor.right_since_s(found, case)
        result["minute_s"] = monitor.minute_right_s(found, case)
    return result


def measure() -> dict[str, Any]:
    found = {}
    for number, (name, make) in enumerate(CASES.items()):
        found[name] = measured(make())
        report(number / len(CASES))
    return {"cases": found}


if __name__ == "__main__":
    answer(measure())
