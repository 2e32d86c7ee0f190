# The CUDA switch, FASTCNN_CUDA: ON builds the module fastcnn._cuda for every architecture of the table, OFF does not,
# and AUTO builds it for this machine's GPU, where there are one and nvcc.
set(FASTCNN_CUDA "AUTO" CACHE STRING "Build the CUDA module: AUTO, ON or OFF")
set_property(CACHE FASTCNN_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT FASTCNN_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "FASTCNN_CUDA: expected AUTO, ON or OFF, got '${FASTCNN_CUDA}'")
endif()

# Code for these, and PTX of the last one for those to come. A device runs the code of an earlier one of its generation:
# 8.9 that for 8.6, which is the same instruction by instruction, 10.3 that for 10.0.
set(FASTCNN_CUDA_ARCHITECTURES 75 80 86 90 100 120 CACHE STRING "Architectures of FASTCNN_CUDA=ON")

set(FASTCNN_WITH_CUDA OFF)
set(FASTCNN_CUDA_GENCODE -arch=native)
if(FASTCNN_CUDA STREQUAL "ON")
  set(FASTCNN_WITH_CUDA ON)
  set(FASTCNN_CUDA_GENCODE)
  foreach(architecture IN LISTS FASTCNN_CUDA_ARCHITECTURES)
    list(APPEND FASTCNN_CUDA_GENCODE "SHELL:-gencode arch=compute_${architecture},code=sm_${architecture}")
  endforeach()
  list(GET FASTCNN_CUDA_ARCHITECTURES -1 newest)
  list(APPEND FASTCNN_CUDA_GENCODE "SHELL:-gencode arch=compute_${newest},code=compute_${newest}")
elseif(FASTCNN_CUDA STREQUAL "AUTO")
  find_program(FASTCNN_NVIDIA_SMI nvidia-smi)
  include(CheckLanguage)
  check_language(CUDA)
  if(FASTCNN_NVIDIA_SMI AND CMAKE_CUDA_COMPILER)
    execute_process(COMMAND ${FASTCNN_NVIDIA_SMI} -L OUTPUT_VARIABLE FASTCNN_GPUS ERROR_QUIET)
    if(FASTCNN_GPUS MATCHES "GPU")
      set(FASTCNN_WITH_CUDA ON)
    endif()
  endif()
endif()

if(FASTCNN_WITH_CUDA)
  # The compiler's own test must not ask for an architecture that it no longer has.
  set(CMAKE_CUDA_ARCHITECTURES 80)
  enable_language(CUDA)  # fails where nvcc is not found
  find_package(CUDAToolkit REQUIRED)
  set(FASTCNN_CUDA_OPTIONS ${FASTCNN_CUDA_GENCODE} -O3
      -Xcompiler=-Wall,-Wextra,-Wno-missing-field-initializers,-Wno-unknown-pragmas)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND FASTCNN_CUDA_OPTIONS --compress-mode=size)  # a quarter less than the default
  else()
    list(APPEND FASTCNN_CUDA_OPTIONS -Xfatbin=-compress-all)
  endif()
endif()
