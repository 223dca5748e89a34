"""Real distillation on one processor: teachers, marked answers, students, and the tests run on them.

Nothing here is imported by the core; `stillwatch.lab.extras` says in one sentence what is missing.
"""
