// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/directory.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace synward::backend {

std::size_t Directory::Hash::operator()(const wire::Address& address) const {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes.data(), 8);
  std::memcpy(&low, address.bytes.data() + 8, 8);
  return (high ^ (low * 0x9e3779b97f4a7c15U)) * 0xff51afd7ed558ccdU >> 7;
}

std::size_t Directory::Hash::operator()(const wire::Endpoint& endpoint) const {
  return (*this)(endpoint.address) ^ (endpoint.port * 0x9e3779b9U);
}

Directory::Directory(const std::vector<ServicePlan>& services) {
  apply(services);
}

void Directory::apply(const std::vector<ServicePlan>& services) {
  for (Listen& listen : listens_) listen.retired = true;
  assert(services.size() >= backends_.size() && services.size() <= UINT16_MAX);
  backends_.resize(services.size());
  positions_.resize(services.size());
  weights_.resize(services.size());
  for (std::uint16_t service = 0; service < service_count(); ++service) {
    const ServicePlan& plan = services[service];
    std::vector<std::uint16_t> positions;
    for (const wire::Endpoint& backend : plan.transparent() ? plan.listens : plan.backends) {
      positions.push_back(place_backend(service, backend));
    }
    set_weights(service, positions, plan.weights);
    for (std::size_t i = 0; i < plan.listens.size(); ++i) {
      const std::uint16_t index = place_listen(service, plan.listens[i]);
      listens_[index].retired = false;
      listens_[index].transparent = plan.transparent();
      candidates_[index].clear();
      const auto its_own =
          plan.transparent() ? std::span(positions).subspan(i, 1) : std::span(positions);
      for (const std::uint16_t position : its_own) {
        const wire::Address& backend = backends_[service][position].address;
        if (backend.is_ipv4() != plan.listens[i].address.is_ipv4()) continue;
        candidates_[index].push_back(position);
        place_before(index, position);
      }
    }
  }
  // A listen that moved to another service: the living one is called, both have connections.
  const auto living = [&](std::uint16_t index) { return !listens_[index].retired; };
  for (auto& [endpoint, listens] : by_endpoint_) std::ranges::stable_partition(listens, living);
  for (auto& [endpoint, listens] : before_backend_) std::ranges::stable_partition(listens, living);
}

// Never taken out: connections to a backend that has left go on.
void Directory::place_before(std::uint16_t listen, std::uint16_t position) {
  if (!placed_before_.insert(std::uint32_t{listen} << 16 | position).second) return;
  before_backend_[backend(listens_[listen].service, position)].push_back(listen);
}

std::uint16_t Directory::place_backend(std::uint16_t service, const wire::Endpoint& backend) {
  std::vector<wire::Endpoint>& known = backends_[service];
  const auto [place, is_new] =
      positions_[service].try_emplace(backend, static_cast<std::uint16_t>(known.size()));
  if (is_new) known.push_back(backend);
  backend_addresses_.insert(backend.address);
  return place->second;
}

void Directory::set_weights(std::uint16_t service, std::span<const std::uint16_t> positions,
                            std::span<const std::uint32_t> weights) {
  weights_[service].assign(backends_[service].size(), 1);
  for (std::size_t i = 0; i < std::min(positions.size(), weights.size()); ++i) {
    weights_[service][positions[i]] = weights[i];
  }
}

std::uint16_t Directory::place_listen(std::uint16_t service, const wire::Endpoint& endpoint) {
  std::vector<std::uint16_t>& indices = by_endpoint_[endpoint];
  for (const std::uint16_t index : indices) {
    if (listens_[index].service == service) return index;
  }
  const auto index = static_cast<std::uint16_t>(listens_.size());
  listens_.push_back({.endpoint = endpoint, .service = service});
  candidates_.emplace_back();
  indices.push_back(index);
  return index;
}

std::span<const std::uint16_t> Directory::find_listens(const wire::Endpoint& destination) const {
  const auto found = by_endpoint_.find(destination);
  if (found == by_endpoint_.end()) return {};
  return found->second;
}

std::span<const std::uint16_t> Directory::listens_before(const wire::Endpoint& source) const {
  const auto found = before_backend_.find(source);
  if (found == before_backend_.end()) return {};
  return found->second;
}

// Asked of every SYN of a flood, whose sources hardly ever are a backend's.
bool Directory::is_candidate(std::uint16_t listen, const wire::Address& address) const {
  if (!backend_addresses_.contains(address)) return false;
  return std::ranges::any_of(candidates(listen), [&](std::uint16_t position) {
    return backend(listens_[listen].service, position).address == address;
  });
}

bool Directory::has_listen(std::uint16_t service, const wire::Endpoint& endpoint) const {
  return std::ranges::any_of(find_listens(endpoint),
                             [&](auto index) { return listens_[index].service == service; });
}

bool Directory::has_backend(std::uint16_t service, const wire::Endpoint& endpoint) const {
  return positions_[service].contains(endpoint);
}

}  // namespace synward::backend
