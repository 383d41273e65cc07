// SPDX-License-Identifier: GPL-2.0-or-later
//
// Values of the file that are names: of interfaces, services, files, addresses, and choices of one
// word. As in units.h an error is the end of a sentence that starts with the key.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "config/units.h"
#include "proxy/wire/address.h"

namespace synward::config {

Parsed<std::string> parse_interface_name(std::string_view text);
Parsed<std::string> parse_service_name(std::string_view text);

// An absolute path: the daemon's working directory is nobody's concern.
struct AbsolutePath {
  std::size_t bytes_max;
  Parsed<std::string> operator()(std::string_view text) const;
};

// An address and port a client can connect to, so not the unspecified, a multicast or broadcast
// one.
Parsed<wire::Endpoint> parse_unicast_endpoint(std::string_view text);
// The same, but not loopback: of a service or a server.
Parsed<wire::Endpoint> parse_reachable_endpoint(std::string_view text);
// ADDRESS:PORT, or ADDRESS:PORT weight=N.
Parsed<Backend> parse_backend(std::string_view text);
std::string format_backend(const Backend& backend);
// ADDRESS/BITS. No part of this version uses one: it is told whether the text is good.
Parsed<bool> parse_prefix(std::string_view text);
// Where the daemon itself binds: IPv4 only, and 0.0.0.0 means every interface.
Parsed<wire::Endpoint> parse_metrics_endpoint(std::string_view text);

// One word of a choice. `available` is false for words whose part is not built yet: they are part
// of the schema, so the operator hears that rather than "unknown".
template <typename Value>
struct Word {
  std::string_view name;
  Value value;
  bool available = true;
};

std::string unavailable(std::string_view text);
// The error for a word that is none of these.
std::string not_one_of(std::string_view text, std::span<const std::string_view> names);

// A value of which one is what this version does: any other is refused, once it is a good one.
template <typename Parse, typename Value>
struct OnlyNow {
  Parse parse;
  Value value;

  Parsed<Value> operator()(std::string_view text) const {
    auto parsed = parse(text);
    if (parsed && *parsed != value) return std::unexpected(unavailable(text));
    return parsed;
  }
};

template <typename Value>
struct OneOf {
  std::span<const Word<Value>> words;

  Parsed<Value> operator()(std::string_view text) const {
    std::vector<std::string_view> names;
    for (const Word<Value>& word : words) {
      if (word.name == text && word.available) return word.value;
      if (word.name == text) return std::unexpected(unavailable(text));
      names.push_back(word.name);
    }
    return std::unexpected(not_one_of(text, names));
  }

  std::string_view name_of(Value value) const {
    for (const Word<Value>& word : words) {
      if (word.value == value) return word.name;
    }
    return {};
  }
};

extern const OneOf<WhenDown> when_down_words;
extern const OneOf<SpliceEngine> engine_words;
extern const OneOf<UnknownSegments> unknown_segments_words;
extern const OneOf<ShieldMode> shield_mode_words;
extern const OneOf<OnPressure> on_pressure_words;  // on_overload
extern const OneOf<OnPressure> on_exit_words;

}  // namespace synward::config
