// SPDX-License-Identifier: GPL-2.0-or-later
//
// The frames of a flood: one template, in which the source, the numbers and the checksum change.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/lab/flood_state.h"
#include "tests/lab/guard.h"

namespace synward::lab {

// All but SYNs acknowledge what nobody sent.
enum class Kind { syn, ack, syn_ack, rst };

struct FloodSettings {
  LabInterface link;
  Target target;
  Prefix sources;
  Kind kind = Kind::syn;
  std::uint64_t seed = 1;
};

class FrameMaker {
 public:
  static constexpr std::size_t kMaxFrame = 14 + 40 + 60;
  using Frame = std::array<std::uint8_t, kMaxFrame>;

  explicit FrameMaker(const FloodSettings& settings);

  // Writes the template once into a frame that is then only refreshed.
  void prepare(Frame& frame) const { frame = template_; }
  // Another source, port, sequence number and timestamp; the checksum is right again.
  void refresh(Frame& frame);
  std::size_t length() const { return length_; }
  // The same frames, for the XDP program.
  flood_state state() const;

 private:
  std::uint64_t random();
  void write_ip();
  void write_tcp();
  void choose_source(Frame& frame);

  FloodSettings settings_;
  Frame template_{};
  std::size_t ip_ = 14;
  std::size_t tcp_ = 0;
  std::size_t length_ = 0;
  std::uint64_t state_;
};

}  // namespace synward::lab
