// The explicit list of all CUDA rows: one line a room, in the rooms' alphabetical order.
#include "ops/registry.h"

#include <vector>

#include "ops/rows.h"

namespace fastcnn::cuda {

std::span<const OpRows> all_rows() {
  static const std::vector<OpRows> rows = [] {
    std::vector<OpRows> all;
    for (const auto room : {
             pool2d_rows,
         })
      for (const OpRows& op : room()) all.push_back(op);
    return all;
  }();
  return rows;
}

}  // namespace fastcnn::cuda
