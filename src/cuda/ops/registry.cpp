// All CUDA rows, room by room.
#include "ops/registry.h"

#include <vector>

#include "ops/rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> all_rows() {
  static const std::vector<OpRows> rows = [] {
    std::vector<OpRows> all;
#define FC_ADD_ROWS(room) \
  for (const OpRows& op : room##_rows()) all.push_back(op);
    FC_CUDA_ROOMS(FC_ADD_ROWS)
#undef FC_ADD_ROWS
    return all;
  }();
  return rows;
}

}  // namespace fastcnn::cuda
