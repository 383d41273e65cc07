// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service_layout.h"

#include <algorithm>

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
    backend::ServicePlan& plan = plans_[number] = {.listens = service.listen, .backends = {}};
    for (const config::Backend& backend : service.backends) {
      plan.backends.push_back(backend.endpoint);
      plan.weights.push_back(backend.weight);
    }
  }
  directory_.apply(plans_);
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
