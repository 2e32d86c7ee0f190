// CPU features: the only place that reads cpuid, asks the system for AMX, or reads FASTCNN_MAX_ISA.
#pragma once

namespace fastcnn {

enum class Isa { Ref, Avx2, Avx512, Avx512Vnni, Avx512Bf16, Amx };

const char* isa_name(Isa isa);
Isa parse_isa(const char* name);  // throws Error(Config) for an unknown name
Isa cpu_isa();                    // the best level this machine and its operating system offer
const char* cpu_model();          // the processor's name and signature
Isa max_isa();                    // cpu_isa(), capped by FASTCNN_MAX_ISA; asking for more than the CPU has is an Error

}  // namespace fastcnn
