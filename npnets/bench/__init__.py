"""Honest timing against PyTorch and ONNX Runtime, on the reader's machine.

In reading order: `workloads` and `op_cases`, what is timed; `peers`, who is; `ours`, `theirs` and
`onnx_peer`, what each of them runs; `worker`, the process that each lives in; `turns`, who runs
when; `stats` and `report`, what the times say. `npnets bench` is in `command`. `timing` stands
apart: it compares functions of one process, and others import it. `gpu` is a script for a machine
with a GPU, and `gpu_subjects` what it times.
"""
