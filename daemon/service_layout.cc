// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service_layout.h"

#include <algorithm>
#include <limits>

namespace synward {

void ServiceLayout::apply(const std::vector<config::Service>& services) {
  plans_.assign(names_.size(), {});
  for (const config::Service& service : services) {
    const auto known = std::ranges::find(names_, service.name);
    const auto number = static_cast<std::size_t>(known - names_.begin());
    if (known == names_.end()) {
      names_.push_back(service.name);
      plans_.emplace_back();
    }
    backend::ServicePlan& plan =
        plans_[number] = {.listens = service.listen,
                          .backends = {},
                          .synacks_per_prefix = service.limits.synacks_per_prefix};
    for (const config::Backend& backend : service.backends) {
      plan.backends.push_back(backend.endpoint);
      plan.weights.push_back(backend.weight);
    }
  }
  directory_.apply(plans_);
}

bool ServiceLayout::has_room_for(const std::vector<config::Service>& services) const {
  constexpr std::size_t numbers = std::numeric_limits<std::uint16_t>::max();
  std::size_t names = names_.size();
  std::size_t listens = directory_.listen_count();
  for (const config::Service& service : services) {
    const auto number =
        static_cast<std::uint16_t>(std::ranges::find(names_, service.name) - names_.begin());
    const bool is_new = number == names_.size();
    if (is_new) ++names;
    std::size_t backends = is_new ? 0 : directory_.backend_count(number);
    for (const wire::Endpoint& listen : service.listen) {
      if (is_new || !directory_.has_listen(number, listen)) ++listens;
      if (service.backends.empty() && (is_new || !directory_.has_backend(number, listen)))
        ++backends;
    }
    for (const config::Backend& backend : service.backends) {
      if (is_new || !directory_.has_backend(number, backend.endpoint)) ++backends;
    }
    if (backends > numbers) return false;
  }
  return names <= numbers && listens <= numbers;
}

std::vector<std::size_t> ServiceLayout::backend_counts() const {
  std::vector<std::size_t> counts;
  counts.reserve(names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) counts.push_back(directory_.backend_count(i));
  return counts;
}

std::vector<metrics::ServiceNames> ServiceLayout::names() const {
  std::vector<metrics::ServiceNames> result;
  result.reserve(names_.size());
  for (std::uint16_t service = 0; service < directory_.service_count(); ++service) {
    metrics::ServiceNames& names = result.emplace_back(names_[service]);
    for (std::uint16_t i = 0; i < directory_.backend_count(service); ++i) {
      names.backends.push_back(wire::to_string(directory_.backend(service, i)));
    }
  }
  return result;
}

}  // namespace synward
