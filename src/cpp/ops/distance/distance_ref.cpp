// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ops/distance/distance.h"

namespace fastcnn::ref {
namespace {

float distance(Metric metric, const float* a, const float* b, std::int64_t d) {
  float squares = 0, absolute = 0, dot = 0, aa = 0, bb = 0;
  for (std::int64_t i = 0; i < d; ++i) {
    const float difference = a[i] - b[i];
    squares += difference * difference;
    absolute += std::fabs(difference);
    dot += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  }
  switch (metric) {
    case Metric::Euclidean: return std::sqrt(squares);
    case Metric::SqEuclidean: return squares;
    case Metric::Manhattan: return absolute;
    case Metric::InnerProduct: return dot;
    case Metric::Cosine: break;
  }
  const float norms = std::sqrt(aa) * std::sqrt(bb);
  const float cosine = 1.0f - (norms == 0 ? 0 : dot / norms);
  return cosine < 0 ? 0 : cosine > 2 ? 2 : cosine;
}

}  // namespace

void cdist(const KernelArgs& args) {
  const Shape &y = args.out[0].shape(), &x = args.in[0].shape();
  const float *a = args.in[0].as<float>(), *b = args.in[1].as<float>();
  for (std::int64_t i = 0; i < y[0]; ++i)
    for (std::int64_t j = 0; j < y[1]; ++j)
      args.out[0].as<float>()[i * y[1] + j] =
          distance(args.problem.as<DistanceParams>().metric, a + i * x[1], b + j * x[1], x[1]);
}

void nearest(const KernelArgs& args) {
  const auto& p = args.problem.as<DistanceParams>();
  const Shape &q = args.in[0].shape(), &g = args.in[1].shape();
  std::vector<float> value(static_cast<std::size_t>(g[0]));
  std::vector<std::int64_t> order(value.size());
  for (std::int64_t i = 0; i < q[0]; ++i) {
    for (std::int64_t j = 0; j < g[0]; ++j)
      value[j] = distance(p.metric, args.in[0].as<float>() + i * q[1], args.in[1].as<float>() + j * q[1], q[1]);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      if (value[a] != value[a] || value[b] != value[b]) return value[a] == value[a] && value[b] != value[b];
      return p.metric == Metric::InnerProduct ? value[a] > value[b] : value[a] < value[b];
    });
    for (std::int64_t j = 0; j < p.k; ++j) {
      args.out[0].as<float>()[i * p.k + j] = value[order[j]];
      args.out[1].as<std::int64_t>()[i * p.k + j] = order[j];
    }
  }
}

}  // namespace fastcnn::ref
