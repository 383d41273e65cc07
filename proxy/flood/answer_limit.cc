// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/answer_limit.h"

#include "proxy/shared/siphash.h"

namespace synward::flood {
namespace {

constexpr std::size_t places = 32768;  // for each side

}  // namespace

bool may_answer(Instant& last, Instant now) {
  if (now - last < answer_interval) return false;
  last = now;
  return true;
}

AnswerLimit::AnswerLimit(const flow::HashKey& secret) : secret_(secret), last_(2 * places) {}

// A message of one word: tables hash two or three.
std::uint32_t AnswerLimit::bound_of(std::int64_t second) const {
  const auto word = static_cast<__u64>(second);
  const __u64 random = synward_siphash(secret_[0], secret_[1], &word, 1);
  return per_second_min +
         static_cast<std::uint32_t>(random % (per_second_max - per_second_min + 1));
}

bool AnswerLimit::spend(const flow::ConnectionKey& key, Side from, Instant now) {
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second != second_) {
    second_ = second;
    left_ = bound_of(second);
  }
  if (left_ == 0) return false;
  const std::size_t place =
      2 * (keyed_hash(secret_, key) % places) + static_cast<std::size_t>(from);
  if (!may_answer(last_[place], now)) return false;
  --left_;
  return true;
}

}  // namespace synward::flood
