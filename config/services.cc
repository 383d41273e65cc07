// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/names.h"
#include "config/ranges.h"
#include "config/validate.h"

namespace synward::config {
namespace {

// `always` is what every service does; the other two come with detection.
enum class Protection { always, adaptive, monitor };
constexpr std::array<Word<Protection>, 3> protection_table{
    {{"always", Protection::always},
     {"adaptive", Protection::adaptive, false},
     {"monitor", Protection::monitor, false}}};

struct Endpoints {
  std::vector<PlacedEndpoint> good;
  bool complete = false;  // there, and nothing in it was refused
};

// 203.0.113.10:8000-8099, the first not above the last.
bool is_port_range(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t dash = text.rfind('-');
  if (colon == text.npos || dash == text.npos || dash < colon) return false;
  const auto first = wire::parse_endpoint(text.substr(0, dash));
  const auto last =
      wire::parse_endpoint(fmt::format("{}:{}", text.substr(0, colon), text.substr(dash + 1)));
  return first && last && first->port <= last->port;
}

Parsed<Backend> parse_listen(std::string_view text) {
  if (is_port_range(text)) return std::unexpected(unavailable(text));
  const auto endpoint = parse_reachable_endpoint(text);
  if (!endpoint) return std::unexpected(endpoint.error());
  return Backend{.endpoint = *endpoint};
}

Endpoints read_endpoints(Section& section, std::string_view key, std::size_t items_max,
                         Parsed<Backend> (*parse)(std::string_view)) {
  Endpoints result;
  const auto* items = section.list(key, items_max);
  if (items == nullptr) return result;
  for (const Element& item : *items) {
    const auto parsed = section.parse_scalar(item, key, parse);
    if (parsed) result.good.push_back({parsed->endpoint, item.place, parsed->weight});
  }
  result.complete = result.good.size() == items->size();
  return result;
}

// Two series of metrics cannot have one label.
void check_repeated_backends(Section& section, const std::vector<PlacedEndpoint>& backends) {
  std::map<wire::Endpoint, Place> seen;
  for (const auto& [endpoint, place, weight] : backends) {
    const auto [earlier, inserted] = seen.try_emplace(endpoint, place);
    if (inserted) continue;
    section.report(place, "backends",
                   fmt::format("duplicate backend {}; it is already on line {}",
                               wire::to_string(endpoint), earlier->second.line));
  }
}

// Counted by source after the handshake: comes with detection.
void read_later_limits(Section& limits) {
  std::uint32_t ignored = 0;
  limits.read("connections_per_source", OnlyNow{range::connections_per_source, 0U}, ignored);
  limits.read("connection_rate_per_source", OnlyNow{range::connection_rate_per_source, 0U},
              ignored);
  auto prefixes = limits.section("prefixes");
  if (!prefixes) return;
  prefixes->read("ipv4", OnlyNow{range::prefix_ipv4, 32U}, ignored);
  prefixes->read("ipv6", OnlyNow{range::prefix_ipv6, 64U}, ignored);
  prefixes->finish();
}

void read_limits(Section& service, Limits& limits) {
  auto section = service.section("limits");
  if (!section) return;
  section->read("synacks_per_prefix", range::synacks_per_prefix, limits.synacks_per_prefix);
  read_later_limits(*section);
  section->finish();
}

// Nobody is checked in this version: `off` says so.
void read_health(Section& service) {
  constexpr std::array<Word<bool>, 1> off{{{"off", false}}};
  bool ignored = false;
  if (service.has_scalar("health")) {
    service.read("health", OneOf<bool>{off}, ignored);
    return;
  }
  auto health = service.section("health");
  if (!health) return;
  milliseconds duration{};
  std::uint32_t count = 0;
  health->read("interval", range::health_interval, duration);
  health->read("timeout", range::health_timeout, duration);
  health->read("rise", range::health_count, count);
  health->read("fall", range::health_count, count);
  health->finish();
  service.report(health->place(), "health", "not in this version");
}

// Lists of networks: who may, who may not, and who alone may connect.
void read_later_lists(Section& service) {
  for (const std::string_view key : {"allow", "deny", "only"}) {
    const auto* items = service.list(key, range::prefixes_max);
    if (items == nullptr) continue;
    for (const Element& item : *items) {
      service.parse_scalar(item, key, OnlyNow{parse_prefix, false});
    }
  }
}

Service read_service(Section& section, ServiceRegistry& registry) {
  Service service;
  const Origin name = section.read_required("name", parse_service_name, service.name);
  if (name.place && name.valid) registry.add_name(section, service.name, *name.place);

  section.require("listen");
  const Endpoints listens = read_endpoints(section, "listen", range::listens_max, parse_listen);
  for (const PlacedEndpoint& listen : listens.good) registry.add_listen(section, listen);

  const Endpoints backends =
      read_endpoints(section, "backends", range::backends_max, parse_backend);
  check_repeated_backends(section, backends.good);
  if (backends.complete) check_families(section, listens.good, backends.good);

  section.read("when_down", when_down_words, service.when_down);
  Protection protection = Protection::always;
  section.read("mode", OneOf<Protection>{protection_table}, protection);
  read_limits(section, service.limits);
  read_health(section);
  read_later_lists(section);
  section.finish();
  for (const PlacedEndpoint& item : listens.good) service.listen.push_back(item.endpoint);
  for (const PlacedEndpoint& item : backends.good) {
    service.backends.push_back({item.endpoint, item.weight});
  }
  return service;
}

}  // namespace

void read_services(Section& root, std::vector<Service>& services) {
  root.require("services");
  const auto* items = root.list("services", range::services_max);
  if (items == nullptr) return;
  ServiceRegistry registry;
  for (const Element& item : *items) {
    Section section(item, "services", root.problems());
    services.push_back(read_service(section, registry));
  }
}

}  // namespace synward::config
