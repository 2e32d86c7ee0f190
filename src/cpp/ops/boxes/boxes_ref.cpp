// Plain loops that are obviously right: what every other kernel of the room is compared with.
#include <algorithm>
#include <vector>

#include "ops/boxes/box_math.h"

namespace fastcnn::ref {

void box_iou(const KernelArgs& args) {
  const Box *a = args.in[0].as<Box>(), *b = args.in[1].as<Box>();
  const Shape& y = args.out[0].shape();
  const auto& p = args.problem.as<BoxIouParams>();
  with_kind(p.kind, [&](auto kind) {
    for (std::int64_t i = 0; i < y[0]; ++i)
      for (std::int64_t j = 0; j < y[1]; ++j)
        args.out[0].as<float>()[i * y[1] + j] = similarity<kind()>(measure<kind()>(a[i]), measure<kind()>(b[j]), p.eps);
  });
}

void nms(const KernelArgs& args) {
  const auto& p = args.problem.as<NmsParams>();
  const Box* boxes = args.in[0].as<Box>();
  const float* scores = args.in[1].as<float>();
  const std::int64_t* classes = args.problem.num_inputs > 2 ? args.in[2].as<std::int64_t>() : nullptr;
  const std::int64_t n = args.in[0].shape()[0];
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < n; ++i)
    if (scores[i] == scores[i] && (!p.has_score_limit || scores[i] > p.score_limit)) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](auto i, auto j) { return scores[i] > scores[j]; });

  std::int64_t* kept = args.out[0].as<std::int64_t>();
  std::int64_t count = 0;
  with_kind(p.kind, [&](auto kind) {
    for (const std::int64_t i : order) {
      if (count == p.max_output) break;
      bool keep = true;
      for (std::int64_t k = 0; k < count && keep; ++k)
        if (classes == nullptr || classes[kept[k]] == classes[i])
          keep =
              !(similarity<kind()>(measure<kind()>(boxes[kept[k]]), measure<kind()>(boxes[i]), kNmsEps) > p.iou_limit);
      if (keep) kept[count++] = i;
    }
  });
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
    const auto taken = measure<IouKind::Iou>(boxes[top]);
    for (const std::int64_t i : rest)
      score[i] = decayed(score[i], similarity<IouKind::Iou>(taken, measure<IouKind::Iou>(boxes[i]), 0), p);
    std::erase_if(rest, [&](std::int64_t i) { return !(score[i] > p.score_limit); });
  }
  std::fill(kept + count, kept + n, -1);
  std::fill(kept_scores + count, kept_scores + n, 0.0f);
  *args.out[2].as<std::int64_t>() = count;
}

}  // namespace fastcnn::ref
