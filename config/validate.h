// SPDX-License-Identifier: GPL-2.0-or-later
//
// Checks over more than one value of the file. Each takes the values and where they came from, and
// stays silent if one of them is already reported.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "config/section.h"
#include "config/settings.h"

namespace synward::config {

// A cookie is good for at least one epoch of this length (protocol.md C3), and every SYN-ACK of an
// entry carries the same one: it must hold until the entry expires.
inline constexpr milliseconds half_open_life_max{64'000};

// When the last SYN-ACK of a half-open connection has been waited for: the waits double.
milliseconds half_open_life(const HalfOpen& half_open);

struct WatermarkOrigins {
  Origin high, low;
};
void check_watermarks(Section& section, const HalfOpen& half_open, const WatermarkOrigins& origins);

struct LifeOrigins {
  Origin timeout, retries;
};
void check_half_open_life(Section& section, const HalfOpen& half_open, const LifeOrigins& origins);

struct EarlyDataOrigins {
  Origin per_connection, total;
};
void check_early_data(Section& section, const EarlyData& early_data,
                      const EarlyDataOrigins& origins);

struct QueueOrigins {
  Origin workers, queue_start;
};
void check_queues(Section& section, const Settings& settings, const QueueOrigins& origins);

// What is divided among the workers leaves none without a share. With `auto` their number is not
// known here; the daemon gives each at least one.
struct ShareOrigins {
  Origin workers, backlog, connections;
};
void check_shares(Section& section, const Settings& settings, const ShareOrigins& origins);

// A value of a list that was good, and its place.
struct PlacedEndpoint {
  wire::Endpoint endpoint;
  Place place;
  std::uint32_t weight = 1;  // of a backend
};

// What must be unique over all services.
class ServiceRegistry {
 public:
  void add_name(Section& section, const std::string& name, Place place);
  void add_listen(Section& section, const PlacedEndpoint& listen);

 private:
  std::map<std::string, Place> names_;
  std::map<wire::Endpoint, Place> listens_;
};

// A client of one family cannot be joined to a backend of the other: synward rewrites addresses
// and sequence numbers, never the IP version.
void check_families(Section& section, const std::vector<PlacedEndpoint>& listens,
                    const std::vector<PlacedEndpoint>& backends);

}  // namespace synward::config
