// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/dump.h"

#include <fmt/format.h>

#include "config/names.h"
#include "config/units.h"

namespace synward::config {
namespace {

// Names are always quoted: `null`, `010` and `on` are fine names of interfaces. The loader refuses
// control characters, so these two are all there is to escape.
std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return result + "\"";
}

// Not fmt::join: instantiating it fails GCC 12's -Wstringop-overflow inside fmt 9.
template <typename Item>
std::string list_of(const std::vector<Item>& items, std::string (*to_text)(const Item&)) {
  std::string result;
  for (const Item& item : items) {
    result += result.empty() ? "[" : ", ";
    result += in_quotes(to_text(item));
  }
  return result.empty() ? "[]" : result + "]";
}

std::string names_list(const std::vector<std::string>& names) {
  return list_of<std::string>(names, [](const std::string& name) { return name; });
}

std::string endpoints_list(const std::vector<wire::Endpoint>& endpoints) {
  return list_of<wire::Endpoint>(endpoints, wire::to_string);
}

std::string number_or(const std::optional<std::uint32_t>& number, std::string_view word) {
  return number ? std::to_string(*number) : std::string(word);
}

void dump_service(std::string& text, const Service& service) {
  text += fmt::format("  - name: {}\n", in_quotes(service.name));
  text += fmt::format("    listen: {}\n", endpoints_list(service.listen));
  if (!service.backends.empty()) {
    text += fmt::format("    backends: {}\n", list_of<Backend>(service.backends, format_backend));
  }
  text += fmt::format("    when_down: {}\n", when_down_words.name_of(service.when_down));
  text +=
      fmt::format("    limits: {{synacks_per_prefix: {}/s}}\n", service.limits.synacks_per_prefix);
}

void dump_half_open(std::string& text, const HalfOpen& half_open) {
  text += fmt::format("half_open:\n");
  text += fmt::format("  backlog: {}\n", half_open.backlog);
  text += fmt::format("  synack_timeout: {}\n", format_duration(half_open.synack_timeout));
  text += fmt::format("  synack_retries: {}\n", half_open.synack_retries);
  text += fmt::format("  high_watermark: {}%\n", half_open.high_watermark_percent);
  text += fmt::format("  low_watermark: {}%\n", half_open.low_watermark_percent);
}

void dump_splice(std::string& text, const Splice& splice) {
  text += fmt::format("splice:\n");
  text += fmt::format("  engine: {}\n", engine_words.name_of(splice.engine));
  text += fmt::format("  connections: {}\n", splice.connections);
  text += fmt::format("  connect_timeout: {}\n", format_duration(splice.connect_timeout));
  text += fmt::format("  idle: {}\n", format_duration(splice.idle));
  text += fmt::format("  half_closed_idle: {}\n", format_duration(splice.half_closed_idle));
  text += fmt::format("  early_data: {{per_connection: {}, total: {}}}\n",
                      format_size(splice.early_data.per_connection_bytes),
                      format_size(splice.early_data.total_bytes));
  text += fmt::format("  unknown_segments: {}\n",
                      unknown_segments_words.name_of(splice.unknown_segments));
  text += fmt::format("  adopt: {}\n", format_duration(splice.adopt));
}

}  // namespace

std::string dump(const Settings& settings) {
  std::string text;
  text +=
      fmt::format("interfaces:\n  client: {}\n  server: {}\n",
                  names_list(settings.interfaces.client), names_list(settings.interfaces.server));
  text += fmt::format("services:\n");
  for (const Service& service : settings.services) dump_service(text, service);
  dump_half_open(text, settings.half_open);
  text += fmt::format("cookies: {{key_file: {}}}\n", in_quotes(settings.cookies.key_file));
  dump_splice(text, settings.splice);
  text += fmt::format("shield: {{mode: {}, tracked_syns: {}/s, unknown_segments: {}/s}}\n",
                      shield_mode_words.name_of(settings.shield.mode),
                      settings.shield.tracked_syns_per_second,
                      settings.shield.unknown_segments_per_second);
  text += fmt::format("workers: {}\n", number_or(settings.workers, "auto"));
  text += fmt::format("queue_start: {}\n", settings.queue_start);
  text += fmt::format("mark: {}\n", format_mark(settings.mark));
  text += fmt::format("realtime: {}\n", number_or(settings.realtime, "off"));
  text += fmt::format("on_overload: {}\n", on_pressure_words.name_of(settings.on_overload));
  text += fmt::format("on_exit: {}\n", on_exit_words.name_of(settings.on_exit));
  text += fmt::format("metrics: {{listen: {}}}\n", in_quotes(to_string(settings.metrics_listen)));
  text += fmt::format("control: {{socket: {}}}\n", in_quotes(settings.control_socket));
  return text;
}

}  // namespace synward::config
