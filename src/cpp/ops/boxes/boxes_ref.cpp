// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <cmath>
#include <limits>
#include <vector>
#include <algorithm>

#include "ops/boxes/boxes.h"

namespace fastcnn::ref {
namespace {

float positive(float x) { return 0.0f > x ? 0.0f : x; }  // a NaN stays
float min(float a, float b) { return a < b ? a : b; }
float max(float a, float b) { return a > b ? a : b; }

float union_area(Box a, Box b, float inter) { return (box_area(a) + box_area(b)) - inter; }

float intersection(Box a, Box b) {
  return positive(min(a.x2, b.x2) - max(a.x1, b.x1)) * positive(min(a.y2, b.y2) - max(a.y1, b.y1));
}

float iou(Box a, Box b) {
  const float inter = intersection(a, b), all = union_area(a, b, inter);
  return all == 0 ? 0 : inter / all;
}

float quotient_or_zero(float a, float b) { return b == 0 ? 0 : a / b; }

float box_similarity(Box a, Box b, const BoxIouParams& p) {
  const float base = iou(a, b);
  if (p.kind == IouKind::Iou) return base;
  const float width = positive(max(a.x2, b.x2) - min(a.x1, b.x1)), height = positive(max(a.y2, b.y2) - min(a.y1, b.y1));
  if (p.kind == IouKind::Giou) {
    const float hull = width * height;
    return base - quotient_or_zero(hull - union_area(a, b, intersection(a, b)), hull);
  }
  const float dx = (a.x1 + a.x2) * 0.5f - (b.x1 + b.x2) * 0.5f, dy = (a.y1 + a.y2) * 0.5f - (b.y1 + b.y2) * 0.5f;
  const float diou = base - quotient_or_zero(dx * dx + dy * dy, (width * width + height * height) + p.eps);
  if (p.kind == IouKind::Diou) return diou;
  const float angle = box_angle(a) - box_angle(b);
  const float v = 0.405284734569351f * (angle * angle);
  return diou - quotient_or_zero(v * v, ((1.0f - base) + v) + p.eps);
}

// The polynomial of simd/math.inl with every fused operation kept: soft_nms must rank alike on every machine.
float exp_of(float x) {
  const float n = std::nearbyint(x * 1.44269504088896341f);
  float r = std::fma(-n, 0.693359375f, x);
  r = std::fma(-n, -2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = std::fma(p, r, 1.3981999507e-3f);
  p = std::fma(p, r, 8.3334519073e-3f);
  p = std::fma(p, r, 4.1665795894e-2f);
  p = std::fma(p, r, 1.6666665459e-1f);
  p = std::fma(p, r, 5.0000001201e-1f);
  p = std::fma(p, r * r, r) + 1.0f;
  return x < -87.33654f ? 0.0f : std::ldexp(p, static_cast<int>(n));  // x <= 0 and normal results: ldexp is exact
}

}  // namespace

void box_iou(const KernelArgs& args) {
  const Box *a = args.in[0].as<Box>(), *b = args.in[1].as<Box>();
  const Shape& y = args.out[0].shape();
  for (std::int64_t i = 0; i < y[0]; ++i)
    for (std::int64_t j = 0; j < y[1]; ++j)
      args.out[0].as<float>()[i * y[1] + j] = box_similarity(a[i], b[j], args.problem.as<BoxIouParams>());
}

void nms(const KernelArgs& args) {
  const auto& p = args.problem.as<NmsParams>();
  const Box* boxes = args.in[0].as<Box>();
  const float* scores = args.in[1].as<float>();
  const std::int64_t* classes = args.problem.num_inputs > 2 ? args.in[2].as<std::int64_t>() : nullptr;
  const std::int64_t n = args.in[0].shape()[0];
  const BoxIouParams measure{.kind = p.kind, .eps = kNmsEps};
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < n; ++i)
    if (scores[i] == scores[i] && (!p.has_score_limit || scores[i] > p.score_limit)) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return scores[i] > scores[j]; });

  std::int64_t* kept = args.out[0].as<std::int64_t>();
  std::int64_t count = 0;
  for (const std::int64_t i : order) {
    if (count == p.max_output) break;
    bool keep = true;
    for (std::int64_t k = 0; k < count && keep; ++k)
      if (classes == nullptr || classes[kept[k]] == classes[i])
        keep = !(box_similarity(boxes[kept[k]], boxes[i], measure) > p.iou_limit);
    if (keep) kept[count++] = i;
  }
  std::fill(kept + count, kept + n, -1);
  *args.out[1].as<std::int64_t>() = count;
}

void soft_nms(const KernelArgs& args) {
  const auto& p = args.problem.as<SoftNmsParams>();
  const Box* boxes = args.in[0].as<Box>();
  const std::int64_t n = args.in[0].shape()[0];
  std::vector<float> score(args.in[1].as<float>(), args.in[1].as<float>() + n);
  std::vector<std::int64_t> rest;
  for (std::int64_t i = 0; i < n; ++i)
    if (score[i] > p.score_limit) rest.push_back(i);

  std::int64_t* kept = args.out[0].as<std::int64_t>();
  float* kept_scores = args.out[1].as<float>();
  std::int64_t count = 0;
  while (!rest.empty() && count < p.max_output) {
    const auto best = std::max_element(rest.begin(), rest.end(), [&](auto i, auto j) { return score[i] < score[j]; });
    const std::int64_t top = *best;
    rest.erase(best);
    kept[count] = top;
    kept_scores[count++] = score[top];
    for (const std::int64_t i : rest) {
      const float overlap = iou(boxes[top], boxes[i]);
      if (p.decay == Decay::Gaussian && overlap == overlap)
        score[i] *= exp_of(-(overlap * overlap) * p.inverse_sigma);
      else if (p.decay == Decay::Linear && overlap > p.iou_limit)
        score[i] *= 1.0f - overlap;
    }
    std::erase_if(rest, [&](std::int64_t i) { return !(score[i] > p.score_limit); });
  }
  std::fill(kept + count, kept + n, -1);
  std::fill(kept_scores + count, kept_scores + n, 0.0f);
  *args.out[2].as<std::int64_t>() = count;
}

}  // namespace fastcnn::ref
