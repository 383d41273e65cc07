// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proxy/wire/address.h"

namespace synward::backend {

// A service as configured. Without backends it is transparent: each listen is its own backend.
struct ServicePlan {
  std::vector<wire::Endpoint> listens;
  std::vector<wire::Endpoint> backends;
  std::vector<std::uint32_t> weights{};  // of the backends, from 1; one that is missing is 1
  std::uint32_t synacks_per_prefix = 0;  // challenges to one client network per second; 0: no limit
  bool transparent() const { return backends.empty(); }
};

struct Listen {
  wire::Endpoint endpoint;
  std::uint16_t service = 0;
  bool transparent = false;
  bool retired = false;  // no longer configured; its connections live to their end
};

// Which listen a packet is for, and which listens lie in front of a backend. Filled from the
// configuration (so nobody else chooses its keys) at start and at reload, read per packet.
//
// Numbers of listens and positions of backends are for the life of the process, since connections
// are known by them: what leaves the configuration is retired, not removed. Who applies the same
// plans in the same order gives the same numbers.
class Directory {
 public:
  explicit Directory(const std::vector<ServicePlan>& services);
  // A reload. services[i] is the same service as before, empty if it is gone; new ones follow.
  void apply(const std::vector<ServicePlan>& services);

  // The one that is called there now comes first; then retired ones. Empty if there is none.
  std::span<const std::uint16_t> find_listens(const wire::Endpoint& destination) const;
  // Listens whose service has `source` as a backend, in that order too; empty if it is none.
  std::span<const std::uint16_t> listens_before(const wire::Endpoint& source) const;
  // It has a number already.
  bool has_listen(std::uint16_t service, const wire::Endpoint& endpoint) const;
  bool has_backend(std::uint16_t service, const wire::Endpoint& endpoint) const;
  const Listen& listen(std::uint16_t index) const { return listens_[index]; }
  std::uint16_t listen_count() const { return static_cast<std::uint16_t>(listens_.size()); }

  // Where new connections of a listen may go: its service's backends of its family, by position.
  std::span<const std::uint16_t> candidates(std::uint16_t listen) const {
    return candidates_[listen];
  }
  // One of those has this address.
  bool is_candidate(std::uint16_t listen, const wire::Address& address) const;
  std::uint16_t service_count() const { return static_cast<std::uint16_t>(backends_.size()); }
  std::uint16_t backend_count(std::size_t service) const {
    return static_cast<std::uint16_t>(backends_[service].size());
  }
  const wire::Endpoint& backend(std::uint16_t service, std::uint16_t position) const {
    return backends_[service][position];
  }
  // Of new connections, in proportion to the weights of the others.
  std::uint32_t weight(std::uint16_t service, std::uint16_t position) const {
    return weights_[service][position];
  }

 private:
  std::uint16_t place_backend(std::uint16_t service, const wire::Endpoint& backend);
  void set_weights(std::uint16_t service, std::span<const std::uint16_t> positions,
                   std::span<const std::uint32_t> weights);
  std::uint16_t place_listen(std::uint16_t service, const wire::Endpoint& endpoint);
  void place_before(std::uint16_t listen, std::uint16_t position);

  struct Hash {
    std::size_t operator()(const wire::Endpoint& endpoint) const;
    std::size_t operator()(const wire::Address& address) const;
  };
  std::vector<Listen> listens_;
  std::vector<std::vector<wire::Endpoint>> backends_;  // by service
  // The positions of backends_.
  std::vector<std::unordered_map<wire::Endpoint, std::uint16_t, Hash>> positions_;
  std::vector<std::vector<std::uint32_t>> weights_;     // of backends_
  std::vector<std::vector<std::uint16_t>> candidates_;  // by listen
  std::unordered_map<wire::Endpoint, std::vector<std::uint16_t>, Hash> by_endpoint_;
  // The listens in front of a backend, those that are configured first; and which there are, as
  // listen << 16 | position.
  std::unordered_map<wire::Endpoint, std::vector<std::uint16_t>, Hash> before_backend_;
  std::unordered_set<std::uint32_t> placed_before_;
  std::unordered_set<wire::Address, Hash> backend_addresses_;  // all there ever were
};

}  // namespace synward::backend
