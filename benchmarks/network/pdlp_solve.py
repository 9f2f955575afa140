"""Solves a linear programme in a file with OR-Tools PDLP; a process of its own.

    python pdlp_solve.py PROGRAMME.npz FOUND.npz OPTIONS_JSON

OR-Tools brings a HiGHS library of its own, and the loader takes whichever of the two comes first for both: a process
that has loaded highspy cannot load it, nor the other way round. So nothing of Datong may be imported here.
"""

import json
import resource
import sys
import time

import numpy as np
import scipy.sparse as sp
from ortools.pdlp import solve_log_pb2, solvers_pb2
from ortools.pdlp.python import pdlp


def main(source: str, target: str, options: dict) -> None:
    given = np.load(source)
    programme = pdlp.QuadraticProgram()
    programme.objective_vector = given["cost"]
    entries = (given["data"], given["indices"], given["indptr"])
    programme.constraint_matrix = sp.csc_matrix(entries, shape=tuple(given["shape"]))
    programme.constraint_lower_bounds, programme.constraint_upper_bounds = given["row_lower"], given["row_upper"]
    programme.variable_lower_bounds = np.zeros(len(given["cost"]))
    programme.variable_upper_bounds = given["upper"]
    params = solvers_pb2.PrimalDualHybridGradientParams(num_threads=options["threads"])
    params.presolve_options.use_glop = options["presolve"]
    params.termination_criteria.simple_optimality_criteria.eps_optimal_relative = options["eps"]
    params.termination_criteria.time_sec_limit = options["time_limit"]
    start = time.perf_counter()
    found = pdlp.primal_dual_hybrid_gradient(programme, params)
    seconds = time.perf_counter() - start
    reason = solve_log_pb2.TerminationReason.Name(found.solve_log.termination_reason)
    np.savez(
        target,
        value=found.primal_solution,
        dual=found.dual_solution,
        reduced=found.reduced_costs,
        seconds=seconds,
        iterations=found.solve_log.iteration_count,
        optimal=reason == "TERMINATION_REASON_OPTIMAL",
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
