// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/directory.h"

#include <algorithm>
#include <cstring>

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
  for (std::size_t service = 0; service < services.size(); ++service) {
    const ServicePlan& plan = services[service];
    backends_.push_back(plan.transparent() ? plan.listens : plan.backends);
    for (std::size_t position = 0; position < plan.listens.size(); ++position) {
      const wire::Endpoint& endpoint = plan.listens[position];
      const auto index = static_cast<std::uint16_t>(listens_.size());
      listens_.push_back(
          {endpoint, static_cast<std::uint16_t>(service), static_cast<std::uint16_t>(position)});
      by_endpoint_.emplace(endpoint, index);
      addresses_.emplace(endpoint.address, true);
      std::vector<std::uint16_t>& candidates = candidates_.emplace_back();
      for (std::size_t b = 0; b < backends_[service].size(); ++b) {
        const wire::Endpoint& backend = backends_[service][b];
        const bool wanted = plan.transparent()
                                ? b == position
                                : backend.address.is_ipv4() == endpoint.address.is_ipv4();
        if (!wanted) continue;
        candidates.push_back(static_cast<std::uint16_t>(b));
        before_backend_[backend].push_back(index);
      }
    }
  }
  find_sharing();
}

void Directory::find_sharing() {
  for (std::uint16_t index = 0; index < listens_.size(); ++index) {
    std::vector<std::uint16_t>& others = sharing_.emplace_back();
    for (const std::uint16_t position : candidates_[index]) {
      const auto& before = before_backend_[backends_[listens_[index].service][position]];
      others.insert(others.end(), before.begin(), before.end());
    }
    std::ranges::sort(others);
    others.erase(std::ranges::unique(others).begin(), others.end());
    std::erase(others, index);
  }
}

std::optional<std::uint16_t> Directory::find_listen(const wire::Endpoint& destination) const {
  const auto found = by_endpoint_.find(destination);
  if (found == by_endpoint_.end()) return std::nullopt;
  return found->second;
}

std::span<const std::uint16_t> Directory::listens_before(const wire::Endpoint& source) const {
  const auto found = before_backend_.find(source);
  if (found == before_backend_.end()) return {};
  return found->second;
}

bool Directory::is_listen_address(const wire::Address& address) const {
  return addresses_.contains(address);
}

}  // namespace synward::backend
