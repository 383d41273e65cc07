// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/load.h"

namespace synward::config::test {

// The least a file must say, on two lines; what a test adds starts on line 3.
inline constexpr std::string_view required =
    "interfaces: {client: [eth0], server: [eth1]}\n"
    "services: [{name: web, listen: ['203.0.113.10:443']}]\n";

inline std::string with_required(std::string_view rest) {
  return std::string(required).append(rest);
}

inline wire::Endpoint endpoint(std::string_view text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

// Every problem on a line of its own, as LINE:COL: WHAT.
inline std::string listed(const Loaded& loaded) {
  std::string text;
  for (const Problem& problem : loaded.problems) {
    text.append(std::to_string(problem.line)).append(":");
    text.append(std::to_string(problem.column)).append(": ").append(problem.what).append("\n");
  }
  return text;
}

inline std::string problems_of(std::string_view yaml) {
  return listed(load_text(yaml));
}

// The problems of a file that is fine but for these lines.
inline std::string problems_after_required(std::string_view rest) {
  return problems_of(with_required(rest));
}

// Settings of a file that has no problem.
inline Settings loaded_settings(std::string_view yaml) {
  Loaded loaded = load_text(yaml);
  EXPECT_EQ(listed(loaded), "") << yaml;
  return std::move(loaded.settings);
}

}  // namespace synward::config::test
