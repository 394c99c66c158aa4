"""Order-state scenarios, in the notation of FIX's order state change matrices, run through the machine.

A file is a JSON list of scenarios: ``ref``, ``title`` and ``rows`` in time order. A row's ``k`` is D (we
send an order), F (ask to cancel), G (ask to replace), S (ask for the status), E (an execution report
reaches us), R (a cancel or replace reject reaches us) or N (something off the wire). E and R rows also
say what must hold for their order afterwards: ``ord``, ``oq``, ``cum``, ``leaves``, ``avg``.
"""

from orders.conformance.runner import RowFailure, ScenarioResult, run_scenario
from orders.conformance.scenario import Scenario, ScenarioFileError, load_scenarios

__all__ = [
    "RowFailure",
    "Scenario",
    "ScenarioFileError",
    "ScenarioResult",
    "load_scenarios",
    "run_scenario",
]
