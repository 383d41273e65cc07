// SPDX-License-Identifier: GPL-2.0-or-later
//
// The schema, one function per section of the file, in the order of the file.
#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/names.h"
#include "config/ranges.h"
#include "config/section.h"
#include "config/services.h"
#include "config/validate.h"

namespace synward::config {
namespace {

void read_interface_list(Section& section, std::string_view key, std::vector<std::string>& target) {
  section.require(key);
  const auto* items = section.list(key, range::interfaces_max);
  if (items == nullptr) return;
  for (const Element& item : *items) {
    auto name = section.parse_scalar(item, key, parse_interface_name);
    if (!name) continue;
    if (std::ranges::find(target, *name) != target.end()) {
      section.report(item.place, key, fmt::format("duplicate interface {}", quoted(*name)));
    } else {
      target.push_back(*std::move(name));
    }
  }
}

void read_interfaces(Section& root, Interfaces& interfaces) {
  root.require("interfaces");
  auto section = root.section("interfaces");
  if (!section) return;
  read_interface_list(*section, "client", interfaces.client);
  read_interface_list(*section, "server", interfaces.server);
  section->finish();
}

// The origin of the backlog.
Origin read_half_open(Section& root, HalfOpen& half_open) {
  auto section = root.section("half_open");
  if (!section) return {};
  const auto backlog = section->read("backlog", range::backlog, half_open.backlog);
  const auto timeout =
      section->read("synack_timeout", range::synack_timeout, half_open.synack_timeout);
  const auto retries =
      section->read("synack_retries", range::synack_retries, half_open.synack_retries);
  const auto high =
      section->read("high_watermark", range::high_watermark, half_open.high_watermark_percent);
  const auto low =
      section->read("low_watermark", range::low_watermark, half_open.low_watermark_percent);
  check_half_open_life(*section, half_open, {.timeout = timeout, .retries = retries});
  check_watermarks(*section, half_open, {.high = high, .low = low});
  section->finish();
  return backlog;
}

void read_cookies(Section& root, Cookies& cookies) {
  auto section = root.section("cookies");
  if (!section) return;
  section->read("key_file", range::key_file, cookies.key_file);
  section->finish();
}

void read_early_data(Section& splice, EarlyData& early_data) {
  auto section = splice.section("early_data");
  if (!section) return;
  const auto per_connection = section->read("per_connection", range::early_data_per_connection,
                                            early_data.per_connection_bytes);
  const auto total = section->read("total", range::early_data_total, early_data.total_bytes);
  check_early_data(*section, early_data, {.per_connection = per_connection, .total = total});
  section->finish();
}

// The origin of the number of connections.
Origin read_splice(Section& root, Splice& splice) {
  auto section = root.section("splice");
  if (!section) return {};
  section->read("engine", engine_words, splice.engine);
  const auto connections = section->read("connections", range::connections, splice.connections);
  section->read("connect_timeout", range::connect_timeout, splice.connect_timeout);
  section->read("idle", range::idle, splice.idle);
  section->read("half_closed_idle", range::half_closed_idle, splice.half_closed_idle);
  read_early_data(*section, splice.early_data);
  section->read("unknown_segments", unknown_segments_words, splice.unknown_segments);
  section->read("adopt", range::adopt, splice.adopt);
  section->finish();
  return connections;
}

void read_shield(Section& root, Shield& shield) {
  auto section = root.section("shield");
  if (!section) return;
  section->read("mode", shield_mode_words, shield.mode);
  section->read("tracked_syns", range::tracked_syns, shield.tracked_syns_per_second);
  section->read("unknown_segments", range::shield_unknown_segments,
                shield.unknown_segments_per_second);
  section->finish();
}

void read_metrics(Section& root, Settings& settings) {
  auto section = root.section("metrics");
  if (!section) return;
  section->read("listen", parse_metrics_endpoint, settings.metrics_listen);
  section->finish();
}

void read_control(Section& root, Settings& settings) {
  auto section = root.section("control");
  if (!section) return;
  section->read("socket", range::control_socket, settings.control_socket);
  section->finish();
}

}  // namespace

void read_settings(const Element& root_element, Settings& settings, Problems& problems) {
  if (root_element.kind == ElementKind::refused) return;
  // An empty file lacks what is required, like any other file that says nothing.
  static const Element empty = make_element(ElementKind::map);
  Section root(root_element.kind == ElementKind::none ? empty : root_element, "", problems);
  read_interfaces(root, settings.interfaces);
  read_services(root, settings.services);
  const auto backlog = read_half_open(root, settings.half_open);
  read_cookies(root, settings.cookies);
  const auto connections = read_splice(root, settings.splice);
  read_shield(root, settings.shield);
  const auto workers = root.read("workers", range::workers, settings.workers);
  const auto queue_start = root.read("queue_start", range::queue_start, settings.queue_start);
  check_queues(root, settings, {.workers = workers, .queue_start = queue_start});
  check_shares(root, settings,
               {.workers = workers, .backlog = backlog, .connections = connections});
  root.read("mark", MarkWithMask{}, settings.mark);
  root.read("realtime", range::realtime, settings.realtime);
  root.read("on_overload", on_pressure_words, settings.on_overload);
  root.read("on_exit", on_exit_words, settings.on_exit);
  root.refuse("detection");
  read_metrics(root, settings);
  read_control(root, settings);
  root.finish();
}

}  // namespace synward::config
