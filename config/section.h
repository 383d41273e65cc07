// SPDX-License-Identifier: GPL-2.0-or-later
//
// A map of the file, read key by key. Reading a key also teaches the section that the key exists,
// so there is no second list of known keys to keep in step: finish() reports the rest as unknown,
// and suggests among those asked for.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/problem.h"
#include "config/units.h"

namespace synward::config {

// What became of a key, for checks over several values: they point at a value of the file, and stay
// silent where a value is already reported as bad.
struct Origin {
  std::optional<Place> place;  // absent = the default
  bool valid = true;
};

class Section {
 public:
  // A element that is not a map is reported here, and reads as if every key were absent.
  Section(const Element& element, std::string_view name, Problems& problems);

  // An optional key. `parse` turns text into Parsed<Value>; a bad value leaves the target alone.
  template <typename Parse, typename Target>
  Origin read(std::string_view key, const Parse& parse, Target& target) {
    const Element* element = find(key);
    if (element == nullptr) return {};
    auto value = parse_scalar(*element, key, parse);
    const bool valid = value.has_value();
    if (valid) target = static_cast<Target>(*std::move(value));
    return {element->place, valid};
  }

  template <typename Parse, typename Target>
  Origin read_required(std::string_view key, const Parse& parse, Target& target) {
    require(key);
    return read(key, parse, target);
  }

  // One scalar under a key, or an item of its list.
  template <typename Parse>
  auto parse_scalar(const Element& element, std::string_view key, const Parse& parse)
      -> std::optional<typename decltype(parse(std::string_view()))::value_type> {
    if (!expect(element, ElementKind::scalar, key)) return std::nullopt;
    auto value = parse(element.text);
    if (value) return *std::move(value);
    report(element.place, key, value.error());
    return std::nullopt;
  }

  // The items of a list of at least one and at most `items_max`; nullptr where there is none.
  const std::vector<Element>* list(std::string_view key, std::size_t items_max);
  std::optional<Section> section(std::string_view key);
  // There is the key, with a single value: `off`, where a map may be as well.
  bool has_scalar(std::string_view key) const;
  // A key whose part is not in this version.
  void refuse(std::string_view key);
  // Says that a key must be there; finish() reports it if not.
  void require(std::string_view key);

  void report(Place place, std::string_view key, std::string_view what);
  Place place() const { return place_; }
  Problems& problems() { return problems_; }

  // Call once every key has been asked for.
  void finish();

 private:
  const Element* find(std::string_view key);
  bool expect(const Element& element, ElementKind kind, std::string_view key);
  void note_entries(const Element& map);
  void report_unknown(const Element& key, std::vector<std::string_view>& intended);

  struct Known {
    const Element* key;
    const Element* value;
    bool asked = false;
  };

  std::string name_;
  Place place_;
  Problems& problems_;
  bool is_map_ = false;
  std::vector<Known> present_;
  std::vector<std::string_view> asked_;
  std::vector<std::string_view> required_;
};

}  // namespace synward::config
