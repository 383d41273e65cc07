// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an operator can set, with the defaults written once, here. config/load fills it from YAML,
// config/synward.yaml shows it annotated and is tested to equal it. Names and units are those of
// the file.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/wire/address.h"

namespace synward::config {

using std::chrono::milliseconds;

// What happens to new SYNs of a service none of whose backends is healthy.
enum class WhenDown { drop, reset };
// Which part of the system joins client and backend.
enum class SpliceEngine { automatic, kernel, userspace };
// What answers a segment that belongs to no connection.
enum class UnknownSegments { drop, reset };
enum class ShieldMode { automatic, off, xdp, tc };
// What happens to SYNs when the queue is full (OnOverload) or the daemon has stopped (OnExit).
enum class OnPressure { drop, pass };

struct Interfaces {
  std::vector<std::string> client;  // where clients, and floods, arrive
  std::vector<std::string> server;  // towards the backends; may repeat a client interface
  bool operator==(const Interfaces&) const = default;
};

struct Backend {
  wire::Endpoint endpoint;
  std::uint32_t weight = 1;  // its share of new connections, to the others' weights; 1..256
  bool operator==(const Backend&) const = default;
};

struct Limits {
  std::uint32_t synacks_per_prefix = 1000;  // per second, to one /24 or /64; 0: no limit
  bool operator==(const Limits&) const = default;
};

struct Service {
  std::string name;
  std::vector<wire::Endpoint> listen;
  std::vector<Backend> backends;  // empty = transparent: the packet's own destination
  WhenDown when_down = WhenDown::drop;
  Limits limits{};
  bool operator==(const Service&) const = default;
};

struct HalfOpen {
  std::uint32_t backlog = 65536;  // entries per service, over all workers; 1..16777216
  milliseconds synack_timeout{1000};
  std::uint32_t synack_retries = 4;
  std::uint32_t high_watermark_percent = 80;
  std::uint32_t low_watermark_percent = 40;
  bool operator==(const HalfOpen&) const = default;
};

struct Cookies {
  std::string key_file = "/var/lib/synward/cookie.key";
  bool operator==(const Cookies&) const = default;
};

struct EarlyData {
  std::uint64_t per_connection_bytes = 16 * 1024;
  std::uint64_t total_bytes = 64 * 1024 * 1024;
  bool operator==(const EarlyData&) const = default;
};

struct Splice {
  SpliceEngine engine = SpliceEngine::automatic;
  std::uint32_t connections = 262144;
  milliseconds connect_timeout{5000};
  milliseconds idle{7'800'000};  // 2h10m, longer than the first keep-alive (RFC 5382 REQ-5)
  milliseconds half_closed_idle{600'000};
  EarlyData early_data;
  UnknownSegments unknown_segments = UnknownSegments::drop;
  milliseconds adopt{600'000};
  bool operator==(const Splice&) const = default;
};

struct Shield {
  ShieldMode mode = ShieldMode::automatic;
  std::uint32_t tracked_syns_per_second = 20000;  // per CPU, as is the next one
  std::uint32_t unknown_segments_per_second = 20000;
  bool operator==(const Shield&) const = default;
};

// A packet mark and the bits of it that are synward's: mark & ~mask == 0.
struct Mark {
  std::uint32_t value = 0x53590000;
  std::uint32_t mask = 0xffff0000;
  bool operator==(const Mark&) const = default;
};

struct Settings {
  Interfaces interfaces;
  std::vector<Service> services;
  HalfOpen half_open;
  Cookies cookies;
  Splice splice;
  Shield shield;
  std::optional<std::uint32_t> workers;  // nullopt = auto: one per CPU of the affinity mask
  // Worker n has queue_start+2n (SYNs) and +2n+1; those for large packets follow them all.
  std::uint16_t queue_start = 24100;
  Mark mark;
  std::optional<std::uint32_t> realtime;  // nullopt = off; else SCHED_FIFO priority 1..99
  OnPressure on_overload = OnPressure::drop;
  OnPressure on_exit = OnPressure::pass;
  wire::Endpoint metrics_listen;  // default 127.0.0.1:9477 (constructor)
  std::string control_socket = "/run/synward/control.sock";

  Settings();
  bool operator==(const Settings&) const = default;
};

}  // namespace synward::config
