"""One inference of the policy service: rows of many sessions in, their actions out.

- ``input_rows``: the inputs of the next inference, in memory that is allocated once.
- ``stepper``: the interface of a policy with slots.
- ``opening``: opens a file, and picks one of the two ways to run it.
- ``bound_policy``: runs a graph on tensors that are bound to fixed memory.
- ``restorable_policy``: runs any other graph; a failed step is undone.
"""
