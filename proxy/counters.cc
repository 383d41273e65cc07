// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/counters.h"

#include <utility>

namespace synward {
namespace {

struct ReasonWords {
  const char* name;
  const char* text;
};

constexpr ReasonWords words[] = {
#define SYNWARD_REASON_WORDS(name, text) {#name, text},
    SYNWARD_REASONS(SYNWARD_REASON_WORDS)
#undef SYNWARD_REASON_WORDS
};

}  // namespace

const char* reason_name(Reason reason) {
  return words[reason].name;
}
const char* reason_text(Reason reason) {
  return words[reason].text;
}

Counters::Counters(const std::vector<std::size_t>& backends_per_service,
                   std::shared_ptr<Occupancies> shared)
    : shared_(std::move(shared)) {
  grow(backends_per_service);
}

void Counters::grow(const std::vector<std::size_t>& backends_per_service) {
  for (std::size_t i = 0; i < backends_per_service.size(); ++i) {
    if (i == shared_->size()) shared_->emplace_back();
    if (i == services.size()) services.emplace_back((*shared_)[i]);
    while (services[i].backends.size() < backends_per_service[i])
      services[i].backends.emplace_back();
  }
}

}  // namespace synward
