// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdlib>
#include <expected>
#include <optional>

namespace synward::test {

// What a test takes for granted: without it there is nothing to test.
template <typename T>
T must(const std::optional<T>& value) {
  if (!value) std::abort();
  return *value;
}

template <typename T, typename E>
T must(const std::expected<T, E>& value) {
  if (!value) std::abort();
  return *value;
}

}  // namespace synward::test
