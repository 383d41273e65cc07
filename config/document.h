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
enum class NodeKind { none, scalar, list, map, refused };

struct Entry;

struct Node {
  NodeKind kind = NodeKind::none;
  Place place{};
  std::string text{};            // of a scalar
  std::vector<Node> items{};     // of a list
  std::vector<Entry> entries{};  // of a map, duplicates included
};

struct Entry {
  Node key;
  Node value;
};

// The parser's work grows with the input in ways of its own; no honest file comes near.
inline constexpr std::size_t document_bytes_max = 1024 * 1024;
inline constexpr std::size_t document_depth_max = 32;

// The first document of the text. Anything wrong with the YAML itself goes to `problems`; after a
// syntax error the result is of kind `refused`, since half a tree would be full of phantoms.
Node parse_document(std::string_view yaml, Problems& problems);

}  // namespace synward::config
