// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "proxy/backend/directory.h"
#include "proxy/flow/half_open.h"
#include "proxy/time.h"

namespace synward::backend {

// Of a listed service's backends; a transparent listen has only itself to choose.
inline constexpr std::size_t backends_max = 64;
inline constexpr std::chrono::seconds passed_over{5};  // S3

// Weighted rendezvous hashing: each backend scores a connection, the highest score wins. A backend
// that comes or goes moves only its own share of connections, and the order of the scores is the
// order in which the others are tried.
class Choice {
 public:
  struct Failure {
    std::uint16_t service, position;
    Instant asked;
  };

  // The directory is asked, not copied; after it has applied another plan, grow().
  Choice(const Directory& directory, const flow::HashKey& key);
  void grow();

  // In a set of backends that were tried, by place among the listen's candidates: positions may be
  // more, after reloads. One between two tries may give a backend a second try, or none.
  std::uint64_t tried_bit(std::uint16_t listen, std::uint16_t position) const;
  // Among the listen's candidates that are not in `tried`: the best one that did
  // not fail lately, else the best one; nullopt when all were tried.
  std::optional<std::uint16_t> next(const flow::ConnectionKey& connection, std::uint64_t tried,
                                    Instant now) const;
  // It did not fail lately.
  bool is_well(std::uint16_t service, std::uint16_t position, Instant now) const;
  void answered(std::uint16_t service, std::uint16_t position, Instant now);
  // It did not take what it was sent at `asked`. If it has answered somebody since, it is well:
  // whom a client calls, and what it hears or forges there, is up to the client.
  void failed(const Failure& failure, Instant now);

 private:
  struct Health {
    Instant answered{}, passed_over_until{};
  };
  const Directory& directory_;
  flow::HashKey key_;
  std::vector<std::vector<Health>> health_;  // [service][position]
};

}  // namespace synward::backend
