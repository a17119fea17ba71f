"""Which device a model runs on, asked of the CUDA driver alone: importing torch for this takes 5 s."""

import ctypes


def choose(asked: str) -> str:
    """Return `cpu` or `cuda:N` for `auto`, `cpu`, `cuda` or `cuda:N`. Allocates no GPU memory."""
    if asked == "auto":
        return "cuda:0" if cuda_devices() else "cpu"
    return "cuda:0" if asked == "cuda" else asked


def cuda_devices() -> int:
    """GPUs this process may see (`CUDA_VISIBLE_DEVICES` counts); 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value
