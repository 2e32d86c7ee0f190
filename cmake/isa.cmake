# The one table: instruction set -> compiler flags. A source named *_<isa>.cpp is compiled with that row's flags,
# every other source with the compiler's baseline, so that the wheel starts on any machine of its architecture.
set(FASTCNN_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(FASTCNN_ISA_FLAGS_avx512 ${FASTCNN_ISA_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
    # GCC 11 and 12 warn about their own _mm512_undefined_ps.
    -Wno-uninitialized -Wno-maybe-uninitialized)
set(FASTCNN_ISA_FLAGS_avx512vnni ${FASTCNN_ISA_FLAGS_avx512} -mavx512vnni)
set(FASTCNN_ISA_FLAGS_avx512bf16 ${FASTCNN_ISA_FLAGS_avx512vnni} -mavx512bf16)
set(FASTCNN_ISA_FLAGS_amx ${FASTCNN_ISA_FLAGS_avx512bf16} -mamx-tile -mamx-bf16 -mamx-int8)
set(FASTCNN_ISAS avx2 avx512 avx512vnni avx512bf16 amx)

# Sets the flags of the ISA sources in the list named by `variable`; off x86-64 it takes them out of it.
function(fastcnn_select_isa_sources variable)
  set(sources ${${variable}})
  foreach(isa IN LISTS FASTCNN_ISAS)
    set(isa_sources ${sources})
    list(FILTER isa_sources INCLUDE REGEX "_${isa}\\.cpp$")
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
      # -fno-lto: a whole-program pass must not move code between instruction sets.
      set_source_files_properties(${isa_sources} PROPERTIES COMPILE_OPTIONS "${FASTCNN_ISA_FLAGS_${isa}};-fno-lto")
    else()
      list(FILTER sources EXCLUDE REGEX "_${isa}\\.cpp$")
    endif()
  endforeach()
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()
