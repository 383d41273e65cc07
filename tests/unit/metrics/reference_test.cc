// SPDX-License-Identifier: GPL-2.0-or-later
//
// The README's reference of metrics and of drop reasons is what the code says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "daemon/metrics/catalogue.h"
#include "proxy/shared/reasons.h"

namespace synward::metrics {
namespace {

constexpr std::size_t values_shown_max = 12;  // more, and they have a table of their own

std::string cell(const Label& label) {
  std::string text = fmt::format("`{}`", label.name);
  if (label.values.empty()) return text;
  if (label.values.size() > values_shown_max) return text + " (below)";
  std::string separator = ": ";
  for (const std::string_view value : label.values) {
    text += separator;
    text += value;
    separator = ", ";
  }
  return text;
}

std::string metrics_table() {
  std::string table = "| metric | labels | meaning |\n|---|---|---|\n";
  for (const Metric& metric : catalogue()) {
    std::string labels;
    for (std::size_t i = 0; i < metric.label_count(); ++i) {
      if (i > 0) labels += "; ";
      labels += cell(metric.labels.at(i));
    }
    table += fmt::format("| `{}` | {} | {} |\n", metric.name, labels, metric.help);
  }
  return table;
}

std::string reasons_table() {
  std::string table = "| reason | a packet is dropped because |\n|---|---|\n";
#define SYNWARD_REASON_ROW(name, text) table += "| `" #name "` | " text " |\n";
  SYNWARD_REASONS(SYNWARD_REASON_ROW)
#undef SYNWARD_REASON_ROW
  return table;
}

std::string readme() {
  std::ifstream file(std::string(SYNWARD_SOURCE_DIR) + "/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The lines of a table that begins with this one.
std::string table_in_readme(const std::string& first_line) {
  const std::string text = readme();
  const std::size_t begin = text.find(first_line + '\n');
  if (begin == std::string::npos) return "README.md has no line \"" + first_line + '"';
  std::size_t end = begin;
  while (end < text.size() && text[end] == '|') end = text.find('\n', end) + 1;
  return text.substr(begin, end - begin);
}

void expect_in_readme(const std::string& table) {
  const std::string first_line = table.substr(0, table.find('\n'));
  EXPECT_TRUE(table_in_readme(first_line) == table) << "README.md needs this table:\n" << table;
}

TEST(Reference, ReadmeListsEveryMetric) {
  expect_in_readme(metrics_table());
}

TEST(Reference, ReadmeListsEveryReason) {
  expect_in_readme(reasons_table());
}

}  // namespace
}  // namespace synward::metrics
