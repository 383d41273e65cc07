// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <compare>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace synward::config {

// A position in the file as editors count: the first line and the first byte of a line are 1.
struct Place {
  int line = 1;
  int column = 1;
  auto operator<=>(const Place&) const = default;
};

// One mistake in the file. `what` is complete: it ends in "; did you mean 'X'?" where X is near.
struct Problem {
  int line = 1;
  int column = 1;
  std::string what;
  bool operator==(const Problem&) const = default;
};

// Collects every mistake of a file, so that an operator repairs them in one go.
class Problems {
 public:
  void add(Place place, std::string what);
  // In the order of the file, whatever order the checks ran in.
  std::vector<Problem> sorted() &&;

 private:
  std::multimap<Place, std::string> found_;  // those of one place in the order they were found
};

// "FILE:LINE:COL: error: WHAT", the form compilers print and editors jump to.
std::string format_problem(std::string_view file, const Problem& problem);

// Text of the file as it may appear in a message: in quotes, on one line, of bounded length.
std::string quoted(std::string_view text);

}  // namespace synward::config
