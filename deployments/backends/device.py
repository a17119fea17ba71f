"""Chooses a model's device. Asks the CUDA driver directly, because importing torch for this takes 5 s."""

import ctypes


def choose_device(requested: str) -> str:
    """Return `cpu` or `cuda:N` for `auto`, `cpu`, `cuda` or `cuda:N`. Allocates no GPU memory."""
    if requested == "auto":
        return "cuda:0" if cuda_devices() else "cpu"
    return "cuda:0" if requested == "cuda" else requested


def cuda_devices() -> int:
    """Return the number of GPUs visible to this process (respects `CUDA_VISIBLE_DEVICES`); 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value
