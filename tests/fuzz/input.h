// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace synward::fuzz {

// What no input may break; not an assert, so that it is loud in every build.
inline void require(bool holds) {
  if (!holds) std::abort();
}

// Numbers from the front of a fuzzer's input; zeros once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  bool empty() const { return left_.empty(); }
  std::span<const std::uint8_t> rest() const { return left_; }
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const std::uint8_t value = left_.front();
    left_ = left_.subspan(1);
    return value;
  }
  std::uint16_t word() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  std::uint32_t long_word() {
    const std::uint32_t high = word();
    return high << 16 | word();
  }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace synward::fuzz
