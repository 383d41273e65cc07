// SPDX-License-Identifier: GPL-2.0-or-later
//
// The YAML file as a tree with places and duplicates. It is built from yaml-cpp's events and not
// from YAML::Node, because the node interface hides duplicate keys, gives an alias the position of
// its anchor, and reads `010` as 8; here a scalar stays the text it is in the file.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace synward::config {

// `refused` stands for a value already reported (an alias): nobody complains about it twice.
enum class ElementKind { none, scalar, list, map, refused };

struct Element {
  ElementKind kind = ElementKind::none;
  Place place;
  std::string text;            // of a scalar
  std::vector<Element> items;  // of a list; of a map its values
  std::vector<Element> keys;   // of a map, one for each item, duplicates included
};

Element make_element(ElementKind kind, Place place = {}, std::string text = {});

// The parser's work grows with the input in ways of its own; no honest file comes near.
inline constexpr std::size_t document_bytes_max = 1024 * 1024;
inline constexpr std::size_t document_depth_max = 32;

// The first document of the text. Anything wrong with the YAML itself goes to `problems`; after a
// syntax error the result is of kind `refused`, since half a tree would be full of phantoms.
Element parse_document(std::string_view yaml, Problems& problems);

}  // namespace synward::config
