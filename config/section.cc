// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/suggest.h"

namespace synward::config {
namespace {

std::string_view describe(NodeKind kind) {
  switch (kind) {
    case NodeKind::scalar:
      return "a single value";
    case NodeKind::list:
      return "a list";
    case NodeKind::map:
      return "a map of keys";
    case NodeKind::none:
    case NodeKind::refused:
      break;
  }
  return "nothing";
}

}  // namespace

Section::Section(const Node& node, std::string_view name, Problems& problems)
    : name_(name), place_(node.place), problems_(problems) {
  is_map_ = expect(node, NodeKind::map, name);
  if (is_map_) note_entries(node.entries);
}

void Section::note_entries(const std::vector<Entry>& entries) {
  std::map<std::string_view, Place> first;
  for (const auto& [key, value] : entries) {
    if (key.kind != NodeKind::scalar) {
      if (key.kind != NodeKind::refused) problems_.add(key.place, "a key must be a plain word");
      continue;
    }
    const auto [earlier, inserted] = first.try_emplace(key.text, key.place);
    if (inserted) {
      present_.push_back({&key, &value});
    } else {
      problems_.add(key.place, fmt::format("duplicate key {}; it is already on line {}",
                                           quoted(key.text), earlier->second.line));
    }
  }
}

const Node* Section::find(std::string_view key) {
  asked_.push_back(key);
  const auto found = std::ranges::find(
      present_, key, [](const Known& known) { return std::string_view(known.key->text); });
  if (found == present_.end()) return nullptr;
  found->asked = true;
  if (found->value->kind != NodeKind::none) return found->value;
  // The parser's place of nothing is wherever the next thing happens to be.
  report(found->key->place, key, "has no value");
  return nullptr;
}

bool Section::expect(const Node& node, NodeKind kind, std::string_view key) {
  if (node.kind == kind) return true;
  if (node.kind == NodeKind::refused) return false;
  report(node.place, key,
         fmt::format("expected {}, found {}", describe(kind), describe(node.kind)));
  return false;
}

const std::vector<Node>* Section::list(std::string_view key, std::size_t items_max) {
  const Node* node = find(key);
  if (node == nullptr || !expect(*node, NodeKind::list, key)) return nullptr;
  if (node->items.empty()) {
    report(node->place, key, "the list is empty");
    return nullptr;
  }
  if (node->items.size() > items_max) {
    report(
        node->place, key,
        fmt::format("{} items are too many; the range is 1 to {}", node->items.size(), items_max));
    return nullptr;
  }
  return &node->items;
}

std::optional<Section> Section::section(std::string_view key) {
  const Node* node = find(key);
  if (node == nullptr || !expect(*node, NodeKind::map, key)) return std::nullopt;
  return Section(*node, key, problems_);
}

void Section::require(std::string_view key) {
  required_.push_back(key);
}

void Section::report(Place place, std::string_view key, std::string_view what) {
  problems_.add(place, key.empty() ? std::string(what) : fmt::format("{}: {}", key, what));
}

void Section::report_unknown(const Node& key, std::vector<std::string_view>& intended) {
  if (key.text == "<<") {
    problems_.add(key.place, "merge keys are not supported; write the keys out");
    return;
  }
  const auto near = nearest(key.text, asked_);
  if (near) intended.push_back(*near);
  const std::string where = name_.empty() ? "" : fmt::format(" in {}", name_);
  problems_.add(key.place,
                fmt::format("unknown key {}{}{}", quoted(key.text), where, did_you_mean(near)));
}

void Section::finish() {
  if (!is_map_) return;
  std::vector<std::string_view> intended;
  for (const auto& [key, value, asked] : present_) {
    const bool merged_alias = key->text == "<<" && value->kind == NodeKind::refused;
    if (!asked && !merged_alias) report_unknown(*key, intended);
  }
  for (const std::string_view key : required_) {
    const bool present =
        std::ranges::any_of(present_, [key](const Known& known) { return known.key->text == key; });
    // A misspelt key is one mistake; it has been reported with the right spelling.
    const bool misspelt = std::ranges::find(intended, key) != intended.end();
    if (!present && !misspelt) problems_.add(place_, fmt::format("missing key '{}'", key));
  }
}

}  // namespace synward::config
