// In which order blocks and threads go: FASTCNN_EMULATOR_SCHEDULE=forward | reverse | random[:seed], read at each
// launch.
#pragma once

#include <cstdint>

namespace emulator {

class Schedule {
 public:
  static Schedule from_environment(std::uint64_t launches);
  bool reverse() const { return kind_ == Kind::Reverse; }
  bool random() const { return kind_ == Kind::Random; }
  std::uint64_t below(std::uint64_t bound);       // a random number
  void begin(std::uint64_t blocks);               // of a launch
  std::uint64_t block(std::uint64_t step) const;  // which one comes at this step

 private:
  enum class Kind { Forward, Reverse, Random };
  Kind kind_ = Kind::Forward;
  std::uint64_t state_ = 1, blocks_ = 1, stride_ = 1, first_ = 0;
};

}  // namespace emulator
