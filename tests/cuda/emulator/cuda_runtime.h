// Stands in for NVIDIA's header of this name where the sources of src/cuda are compiled for the CPU: the qualifiers
// and types of CUDA C++, what kernels can call, and the runtime API. See README.md.
#pragma once

#include "qualifiers.h"
#include "vector_types.h"
#include "execution.h"
#include "barriers.h"
#include "warp.h"
#include "atomics.h"
#include "device_math.h"
#include "runtime_api.h"
