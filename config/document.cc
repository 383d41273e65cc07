// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "config/bytes.h"
#include "config/source.h"

namespace synward::config {
namespace {

Place to_place(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// yaml-cpp's name for a plain scalar's tag, and for a quoted one's.
bool is_implicit_tag(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!";
}

// Thrown through yaml-cpp to stop it where the first document has ended.
struct SecondDocument {
  Place place;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view source, Problems& problems) : source_(source), problems_(problems) {}

  Element take_root() {
    report_unused_anchors();
    return std::move(root_);
  }

  // yaml-cpp starts a second document not only at `---` but also where the indentation falls
  // below the first line's, and would silently ignore the rest of the file.
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw SecondDocument{to_place(mark)};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    remember(mark, anchor);
    // Of an item that only a dash is there for, the parser's place is wherever the next thing is.
    const bool is_item = !open_.empty() && open_.back().has_dashes;
    const Place place = to_place(mark);
    put(make_element(ElementKind::none,
                     is_item ? dash_before(source_.substr(0, offset(mark)), place) : place));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    problems_.add(to_place(mark), "aliases and merge keys are not supported; write the value out");
    anchors_.erase(anchor);
    put(make_element(ElementKind::refused, to_place(mark)));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const std::string_view source = source_.substr(offset(mark));
    if (is_unclosed_quote(source)) {
      throw YAML::ParserException(mark, "this quote is never closed");
    }
    check_tag(mark, tag, source.starts_with('!'));
    remember(mark, anchor);
    Element element = make_element(ElementKind::scalar, to_place(mark), value);
    if (has_control_character(value)) {
      problems_.add(element.place, fmt::format("{} contains a control character", quoted(value)));
      element.kind = ElementKind::refused;
    }
    put(std::move(element));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    check_tag(mark, tag);
    open(mark, anchor, ElementKind::list);
    open_.back().has_dashes = style == YAML::EmitterStyle::Block;
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag);
    open(mark, anchor, ElementKind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Element element;
    std::optional<Element> key;  // of a map, between the key and its value
    bool has_dashes = false;     // a list, and not in brackets
  };

  std::size_t offset(const YAML::Mark& mark) const {
    return std::min(static_cast<std::size_t>(mark.pos), source_.size());
  }

  // A `!` alone is named like no tag, and would hide the quote behind it.
  void check_tag(const YAML::Mark& mark, const std::string& tag, bool written = false) {
    if (is_implicit_tag(tag) && !written) return;
    problems_.add(to_place(mark), fmt::format("tags are not supported: {}", quoted(tag)));
  }

  void remember(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = to_place(mark);
  }

  // An anchor with an alias is one mistake, reported where the alias is.
  void report_unused_anchors() {
    for (const auto& [anchor, place] : anchors_) {
      problems_.add(place, "anchors are not supported");
    }
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, ElementKind kind) {
    if (open_.size() >= document_depth_max) throw YAML::ParserException(mark, "nested too deeply");
    remember(mark, anchor);
    open_.push_back({.element = make_element(kind, to_place(mark)), .key = std::nullopt});
  }

  void close() {
    Element element = std::move(open_.back().element);
    open_.pop_back();
    put(std::move(element));
  }

  void put(Element element) {
    if (open_.empty()) {
      root_ = std::move(element);
      return;
    }
    auto& [parent, key, has_dashes] = open_.back();
    if (parent.kind == ElementKind::list) {
      parent.items.push_back(std::move(element));
    } else if (!key) {
      key = std::move(element);
    } else {
      parent.keys.push_back(std::move(*key));
      parent.items.push_back(std::move(element));
      key.reset();
    }
  }

  std::string_view source_;  // what the marks count in
  Problems& problems_;
  Element root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Place> anchors_;
  int documents_ = 0;
};

// yaml-cpp calls a tab in the indentation "illegal map value" and worse.
std::string tab_hint(std::string_view yaml, Place place) {
  const std::string_view line = line_of(yaml, place.line);
  const std::string_view indentation = line.substr(0, line.find_first_not_of(" \t"));
  const bool has_tab = indentation.find('\t') != std::string_view::npos;
  return has_tab ? " (the line is indented with a tab; YAML allows spaces only)" : "";
}

}  // namespace

Element make_element(ElementKind kind, Place place, std::string text) {
  Element element;
  element.kind = kind;
  element.place = place;
  element.text = std::move(text);
  return element;
}

Element parse_document(std::string_view yaml, Problems& problems) {
  if (const auto bad = find_bad_byte(yaml)) {
    problems.add(bad->place, bad->what);
    return make_element(ElementKind::refused);
  }
  if (yaml.starts_with(byte_order_mark)) yaml.remove_prefix(byte_order_mark.size());
  std::string text(yaml);
  // Without it yaml-cpp places a quote that is never closed at the end of the file.
  if (!text.ends_with('\n')) text += '\n';
  if (const auto line = find_directive(text)) {
    problems.add({*line, 1},
                 "a line that begins with '%' is no part of it; a comment begins with '#'");
    return make_element(ElementKind::refused);
  }
  std::istringstream input{text};
  TreeBuilder builder(text, problems);
  try {
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const SecondDocument& second) {
    problems.add(second.place, "a second document, or a line not indented like the first");
    // Without its marker the first document has only been torn in two, and would lack keys.
    if (!line_of(text, second.place.line).starts_with("---"))
      return make_element(ElementKind::refused);
    return builder.take_root();
  } catch (const YAML::Exception& error) {
    const Place place = to_place(error.mark);
    problems.add(place, fmt::format("YAML: {}{}", error.msg, tab_hint(text, place)));
    return make_element(ElementKind::refused);
  }
  return builder.take_root();
}

}  // namespace synward::config
