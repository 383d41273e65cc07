// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/suggest.h"

namespace synward::config {
namespace {

std::string_view describe(ElementKind kind) {
  switch (kind) {
    case ElementKind::scalar:
      return "a single value";
    case ElementKind::list:
      return "a list";
    case ElementKind::map:
      return "a map of keys";
    case ElementKind::none:
    case ElementKind::refused:
      break;
  }
  return "nothing";
}

}  // namespace

Section::Section(const Element& element, std::string_view name, Problems& problems)
    : name_(name), place_(element.place), problems_(problems) {
  is_map_ = expect(element, ElementKind::map, name);
  if (is_map_) note_entries(element);
}

void Section::note_entries(const Element& map) {
  std::map<std::string_view, Place> first;
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    const Element& key = map.keys[i];
    if (key.kind != ElementKind::scalar) {
      if (key.kind != ElementKind::refused) problems_.add(key.place, "a key must be a plain word");
      continue;
    }
    const auto [earlier, inserted] = first.try_emplace(key.text, key.place);
    if (inserted) {
      present_.push_back({&key, &map.items[i]});
    } else {
      problems_.add(key.place, fmt::format("duplicate key {}; it is already on line {}",
                                           quoted(key.text), earlier->second.line));
    }
  }
}

const Element* Section::find(std::string_view key) {
  asked_.push_back(key);
  const auto found = std::ranges::find(
      present_, key, [](const Known& known) { return std::string_view(known.key->text); });
  if (found == present_.end()) return nullptr;
  found->asked = true;
  if (found->value->kind != ElementKind::none) return found->value;
  // The parser's place of nothing is wherever the next thing happens to be.
  report(found->key->place, key, "has no value");
  return nullptr;
}

bool Section::expect(const Element& element, ElementKind kind, std::string_view key) {
  if (element.kind == kind) return true;
  if (element.kind == ElementKind::refused) return false;
  report(element.place, key,
         fmt::format("expected {}, found {}", describe(kind), describe(element.kind)));
  return false;
}

const std::vector<Element>* Section::list(std::string_view key, std::size_t items_max) {
  const Element* element = find(key);
  if (element == nullptr || !expect(*element, ElementKind::list, key)) return nullptr;
  if (element->items.empty()) {
    report(element->place, key, "the list is empty");
    return nullptr;
  }
  if (element->items.size() > items_max) {
    report(element->place, key,
           fmt::format("{} items are too many; the range is 1 to {}", element->items.size(),
                       items_max));
    return nullptr;
  }
  return &element->items;
}

std::optional<Section> Section::section(std::string_view key) {
  const Element* element = find(key);
  if (element == nullptr || !expect(*element, ElementKind::map, key)) return std::nullopt;
  return Section(*element, key, problems_);
}

bool Section::has_scalar(std::string_view key) const {
  return std::ranges::any_of(present_, [key](const Known& known) {
    return known.key->text == key && known.value->kind == ElementKind::scalar;
  });
}

void Section::refuse(std::string_view key) {
  if (const Element* element = find(key)) report(element->place, key, "not in this version");
}

void Section::require(std::string_view key) {
  required_.push_back(key);
}

void Section::report(Place place, std::string_view key, std::string_view what) {
  problems_.add(place, key.empty() ? std::string(what) : fmt::format("{}: {}", key, what));
}

void Section::report_unknown(const Element& key, std::vector<std::string_view>& intended) {
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
    const bool merged_alias = key->text == "<<" && value->kind == ElementKind::refused;
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
