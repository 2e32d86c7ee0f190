// Computes   y = (x - mean) / sqrt(var + epsilon) gamma + beta for each group of channels of a sample: group_norm and
//            instance_norm (the contract: ops/norm/norm.h).
// Layout     (samples, pixels, channels); a sample's pixels are cut into chunks of 16 rows a thread. Workspace: for
//            each chunk and channel its mean, the sum of deviations from it and that of their squares; for each group
//            its mean in two floats, and 1 / sqrt(var + epsilon).
// Threads    256. chunk_statistics, apply: neighbouring threads have neighbouring channels, at most 32 where there are
//            rows enough, and several walk down each; 16 values are kept in registers. group_statistics: a warp a
//            group, the block where a group has more than 1024 parts. Shared memory: 1 KB.
// Why        NHWC pictures are read along channels however few a group has, and twice in all: deviations are taken from
//            the chunk's own mean while its values are at hand.
// Bound by   memory.
// Needs      nothing.
// Accuracy   the sum of a chunk's deviations corrects its mean; parts are joined in double, by the formula of Chan,
//            Golub and LeVeque (Algorithms for computing the sample variance, 1983).
#include "core/axis_team.cuh"
#include "ops/norm.h"
#include "ops/norm/norm.h"

namespace fastcnn::cuda {
namespace {

constexpr int kKept = 16;
using Team = ColumnTeam<kKept>;

struct Chunks {
  Lines lines;  // a row of these for each chunk of each sample
  std::int64_t samples, pixels, channels, groups;
  std::int64_t rows, chunks;  // rows of a chunk, chunks of a sample

  FC_INLINE std::int64_t parts() const { return samples * chunks * channels; }
  // Of a chunk: the last one may be shorter.
  FC_INLINE std::int64_t height(std::int64_t chunk) const { return min_i64(rows, pixels - chunk * rows); }
};

Chunks chunks_of(const Problem& problem) {
  const Shape& x = problem.inputs[0].shape;
  Chunks c;
  c.samples = x[0], c.pixels = x.product(1, x.rank - 1), c.channels = x.back();
  c.groups = max_i64(1, problem.as<GroupNormParams>().groups);
  c.lines = columns({1, c.pixels, c.channels});
  c.rows = c.lines.phases() * kKept;
  c.chunks = ceil_div(c.pixels, c.rows);
  c.lines.rows = c.samples * c.chunks;
  return c;
}

// The team of a block: its chunk of its sample.
__device__ __forceinline__ Team team_of(const Chunks& c, float* scratch) {
  const std::int64_t row = Team::row(c.lines), sample = row / c.chunks, chunk = row - sample * c.chunks;
  return Team(c.lines, scratch, (sample * c.pixels + chunk * c.rows) * c.channels, c.height(chunk));
}

// What a chunk knows of a channel.
struct Part {
  float mean, deviations, squares;
};

struct Group {
  float mean, rest, gain;  // the mean is mean + rest
};

__global__ __launch_bounds__(kTeamThreads) void chunk_statistics(const float* from, Part* parts, const Chunks c) {
  FC_SHARED(float, scratch, [Team::kScratch]);
  const Team team = team_of(c, scratch);
  Kept<Team> x(from);
  BlockedSum sum, deviations, squares;
  team.each([&](int slot, std::int64_t at, std::int64_t) { sum.add(x.read(slot, at)); });
  const std::int64_t row = Team::row(c.lines);
  const float mean = team.reduce(sum.value(), Add()) / static_cast<float>(c.height(row % c.chunks));
  team.each([&](int slot, std::int64_t at, std::int64_t) {
    const float d = x.again(slot, at) - mean;
    deviations.add(d);
    squares.add(d * d);
  });
  const Part part{mean, team.reduce(deviations.value(), Add()), team.reduce(squares.value(), Add())};
  if (team.leads()) parts[row * c.channels + team.column()] = part;
}

template <int lanes>
__global__ __launch_bounds__(kTeamThreads) void group_statistics(const Part* parts, Group* groups, const Chunks c,
                                                                 double epsilon) {
  FC_SHARED(double, scratch, [kTeamThreads / kWarp]);
  const auto sum = [&](double value) { return group_reduce<lanes>(value, Add(), scratch); };
  const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * (kTeamThreads / lanes) + threadIdx.x / lanes;
  const bool exists = group < c.samples * c.groups;
  const std::int64_t sample = group / c.groups, width = c.channels / c.groups;
  const Part* first = parts + sample * c.chunks * c.channels + (group - sample * c.groups) * width;
  const std::int64_t count = exists ? c.chunks * width : 0;
  // body(part, its number of elements)
  const auto each = [&](const auto& body) {
    for (std::int64_t i = threadIdx.x % lanes; i < count; i += lanes) {
      const std::int64_t chunk = i / width;
      body(first[chunk * c.channels + (i - chunk * width)], static_cast<double>(c.height(chunk)));
    }
  };
  double total = 0;
  each([&](const Part& part, double n) { total += n * part.mean + part.deviations; });
  const double elements = static_cast<double>(c.pixels * width), mean = sum(total) / elements;
  double squares = 0;
  each([&](const Part& part, double n) {
    const double rest = part.deviations / n, distance = part.mean + rest - mean;
    squares += part.squares - part.deviations * rest + n * distance * distance;
  });
  const double variance = sum(squares) / elements;
  if (!exists || threadIdx.x % lanes != 0) return;
  const float rounded = static_cast<float>(mean);
  groups[group] = {rounded, static_cast<float>(mean - rounded),
                   static_cast<float>(1.0 / sqrt((variance < 0 ? 0.0 : variance) + epsilon))};
}

// gamma and beta may be nullptr: 1 and 0. y may lie over x.
__global__ __launch_bounds__(kTeamThreads) void apply(const float* x, const Group* groups, const float* gamma,
                                                      const float* beta, float* y, const Chunks c) {
  FC_SHARED(float, scratch, [1]);
  const Team team = team_of(c, scratch);
  if (!team.exists()) return;
  const std::int64_t sample = Team::row(c.lines) / c.chunks, channel = team.column();
  const Group group = groups[sample * c.groups + channel / (c.channels / c.groups)];
  const float scale = gamma ? gamma[channel] : 1.0f, shift = beta ? beta[channel] : 0.0f;
  team.each([&](int, std::int64_t at, std::int64_t) {
    y[at] = fmaf(((x[at] - group.mean) - group.rest) * group.gain, scale, shift);
  });
}

}  // namespace

std::int64_t group_norm_workspace(const Problem& problem) {
  const Chunks c = chunks_of(problem);
  return c.parts() * static_cast<std::int64_t>(sizeof(Part)) +
         c.samples * c.groups * static_cast<std::int64_t>(sizeof(Group));
}

void group_norm(const char* name, const KernelArgs& args) {
  const auto& p = args.problem.as<GroupNormParams>();
  const Chunks c = chunks_of(args.problem);
  auto* parts = static_cast<Part*>(args.workspace);
  auto* groups = reinterpret_cast<Group*>(parts + c.parts());
  const Grid pixels{static_cast<unsigned>(Team::blocks(c.lines)), kTeamThreads};
  launch(name, chunk_statistics, pixels, args, args.in[0].as<float>(), parts, c);

  constexpr std::int64_t kFew = 1024;  // parts of a group that a warp joins
  const std::int64_t count = c.samples * c.groups;
  if (c.chunks * (c.channels / c.groups) <= kFew)
    launch(name, group_statistics<kWarp>, {static_cast<unsigned>(ceil_div(count, kTeamThreads / kWarp)), kTeamThreads},
           args, parts, groups, c, p.epsilon);
  else
    launch(name, group_statistics<kTeamThreads>, {static_cast<unsigned>(count), kTeamThreads}, args, parts, groups, c,
           p.epsilon);

  const float* gamma = p.scale ? args.in[1].as<float>() : nullptr;
  const float* beta = p.center ? args.in[1 + p.scale].as<float>() : nullptr;
  launch(name, apply, pixels, args, args.in[0].as<float>(), groups, gamma, beta, args.out[0].as<float>(), c);
}

}  // namespace fastcnn::cuda
