#include "kernels/simulator/grid.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <utility>

#include "kernels/simulator/cp_async.h"
#include "kernels/simulator/interrupt.h"
#include "kernels/simulator/limits.h"
#include "kernels/simulator/static_shared.h"
#include "kernels/simulator/sync.h"
#include "kernels/simulator/tma.h"
#include "kernels/simulator/wgmma.h"

namespace pyengine::simulator {
namespace {

// Of every thread that runs, before another cluster gets a turn: looks at memory while nothing changes, and turns given up in any case.
constexpr unsigned quiet_looks = 128, most_turns = 1000;

thread_local Thread* current = nullptr;
thread_local std::vector<std::unique_ptr<Fiber>> idle_fibers;
thread_local std::string before_launch;  // a report

std::unique_ptr<Fiber> take_fiber() {
    if (idle_fibers.empty()) return std::make_unique<Fiber>();
    auto fiber = std::move(idle_fibers.back());
    idle_fibers.pop_back();
    return fiber;
}

Dim3 position(std::uint64_t number, Dim3 sizes) {
    return {static_cast<unsigned>(number % sizes.x), static_cast<unsigned>(number / sizes.x % sizes.y),
            static_cast<unsigned>(number / sizes.x / sizes.y)};
}

Dim3 clusters_of(const LaunchShape& shape) {
    return {shape.grid.x / shape.cluster.x, shape.grid.y / shape.cluster.y, shape.grid.z / shape.cluster.z};
}

/// Of a block, by its rank in its cluster.
Dim3 block_index(const LaunchShape& shape, std::uint64_t cluster, unsigned rank) {
    const Dim3 first = position(cluster, clusters_of(shape)), inside = position(rank, shape.cluster);
    return {first.x * shape.cluster.x + inside.x, first.y * shape.cluster.y + inside.y, first.z * shape.cluster.z + inside.z};
}

/// What decides the order of threads and of asynchronous operations, where PYENGINE_SIMULATOR_SEED asks for a random one.
std::optional<std::mt19937_64> random_of(std::uint64_t cluster) {
    const char* seed = std::getenv("PYENGINE_SIMULATOR_SEED");
    if (!seed) return {};
    return std::mt19937_64(std::strtoull(seed, nullptr, 10) + cluster);
}

}  // namespace

Thread* current_thread() { return current; }

std::string name_of(const Thread& thread) { return text("block ", to_text(thread.block->index), ", thread ", to_text(thread.index)); }

std::string name_of(const LaunchShape& shape, std::uint64_t cluster, unsigned thread) {
    const auto size = static_cast<unsigned>(shape.block.count());
    return text("block ", to_text(block_index(shape, cluster, thread / size)), ", thread ", to_text(position(thread % size, shape.block)));
}

// A cluster ----------------------------------------------------------------------------------------------------------------------------------

Cluster::Cluster(Launch& launch, std::uint64_t number)
    : launch(launch), number(number), agents(launch.shape.cluster.count() * launch.shape.block.count()), random_(random_of(number)) {
    thread_count_ = launch.shape.cluster.count() * launch.shape.block.count();
    for (unsigned rank = 0; rank < launch.shape.cluster.count(); ++rank) make_block(number, rank);
    alive_ = thread_count_;
    ready_.assign(all_.begin(), all_.end());
    if (random_) std::shuffle(ready_.begin(), ready_.end(), *random_);
}

Cluster::~Cluster() {
    for (Thread* thread : all_)
        if (thread->fiber) idle_fibers.push_back(std::move(thread->fiber));
    for (auto& block : blocks) {
        forget_static_shared(*block);
        std::free(block->shared);
    }
}

void Cluster::make_block(std::uint64_t cluster, unsigned rank) {
    const LaunchShape& shape = launch.shape;
    auto block = std::make_unique<Block>();
    block->cluster = this;
    block->rank = rank;
    block->index = block_index(shape, cluster, rank);
    block->alive = static_cast<unsigned>(shape.block.count());
    block->warps.resize((block->alive + 31) / 32);
    for (unsigned i = 0; i < block->alive; ++i) {
        auto thread = std::make_unique<Thread>();
        thread->block = block.get();
        thread->warp = &block->warps[i / 32];
        thread->index = position(i, shape.block);
        thread->rank = i;
        thread->cluster_rank = static_cast<unsigned>(all_.size());
        thread->knowledge = all_.empty() ? Knowledge(thread_count_) : all_.front()->knowledge;
        thread->warp->lanes.push_back(thread.get());
        all_.push_back(thread.get());
        block->threads.push_back(std::move(thread));
    }
    if (shape.shared_bytes > 0) {
        block->shared = static_cast<std::byte*>(std::aligned_alloc(1024, (shape.shared_bytes + 1023) / 1024 * 1024));
        block->shared_shadow = std::make_unique<Shadow>(shape.shared_bytes);
    }
    blocks.push_back(std::move(block));
}

Cluster::State Cluster::run() {
    std::size_t given_up = 0, quiet = 0;  // turns in a row, looks
    while (alive_ > 0 && !failed_ && !launch.obsolete(number)) {
        if (interrupted()) {
            launch.report(number, text("simulator: interrupted: kernel ", function_name(launch.kernel)));
            return State::finished;
        }
        if (ready_.empty() || (random_ && (*random_)() % 4 == 0)) in_flight.land_one(random_ ? &*random_ : nullptr);
        if (ready_.empty() && in_flight.empty()) {
            report_deadlock();
            break;
        }
        if (ready_.empty()) continue;
        Thread& thread = *ready_.front();
        ready_.pop_front();
        const unsigned yields = thread.yields, looks = thread.looks;
        const std::uint64_t before = changes_;
        step(thread);
        given_up = thread.yields > yields ? given_up + 1 : 0;
        quiet = given_up > 0 && changes_ == before ? quiet + (thread.looks - looks) : 0;
        if (given_up > ready_.size() && !in_flight.empty()) {
            in_flight.land_one(nullptr);
            given_up = quiet = 0;
        }
        if (quiet > quiet_looks * ready_.size() || given_up > most_turns * ready_.size()) return State::stalled;
    }
    if (alive_ == 0 && !failed_) report_unfinished();
    return State::finished;
}

void Cluster::step(Thread& thread) {
    enter_static_shared(*thread.block);
    if (!thread.fiber) {
        thread.fiber = take_fiber();
        thread.fiber->start(
            [](void* argument) {
                Thread& self = *static_cast<Thread*>(argument);
                const Body& body = self.block->cluster->launch.body;
                body.run(body.arguments);
                self.done = true;
            },
            &thread);
    }
    current = &thread;
    thread.fiber->resume();
    current = nullptr;
    if (thread.done && !failed_) end(thread);
}

void Cluster::end(Thread& thread) {
    note_change();
    idle_fibers.push_back(std::move(thread.fiber));
    --alive_;
    --thread.block->alive;
    auto fault = finish_stores(thread);
    if (!fault) fault = unfinished_products(thread);
    if (!fault) fault = unfinished_copies(thread);
    if (fault) {
        launch.report(number, *fault);
        failed_ = true;
    }
    leave_meetings(thread);
}

void Cluster::sleep(Thread& thread, std::function<std::string()> waiting_for, const void* code) {
    thread.waiting_for = std::move(waiting_for);
    thread.waiting_at = code;
    thread.fiber->suspend();
    thread.waiting_for = nullptr;
}

void Cluster::wake(Thread& thread) {
    note_change();
    ready_.push_back(&thread);
}

void Cluster::yield(Thread& thread, const void* code) {
    ++thread.yields;
    ++thread.looks;
    thread.waiting_at = code;
    ready_.push_back(&thread);
    thread.fiber->suspend();
}

void Cluster::fail(const Thread& thread, const char* fault, const std::string& details) {
    launch.report(number, text("simulator: ", fault, ": kernel ", function_name(launch.kernel), ", ", name_of(thread), ": ", details));
    failed_ = true;
    while (true) thread.fiber->suspend();  // what the kernel would do next has no meaning
}

void Cluster::report_deadlock() {
    std::string message = text("simulator: deadlock: kernel ", function_name(launch.kernel));
    std::map<std::string, std::vector<const Thread*>> groups;
    std::map<const void*, std::string> lines;
    for (const Thread* thread : all_) {
        if (thread->done) continue;
        const auto [line, fresh] = lines.try_emplace(thread->waiting_at);
        if (fresh) line->second = source_line(thread->waiting_at);
        const std::string what = thread->waiting_for ? thread->waiting_for() : "memory that nobody writes";
        groups[text(what, ", at ", line->second)].push_back(thread);
    }
    for (const auto& [what, threads] : groups) {
        message += text(": ", threads.size(), " threads wait for ", what, ": ", name_of(*threads.front()));
        if (threads.size() > 1) message += text(" to ", name_of(*threads.back()));
    }
    launch.report(number, message + "; no thread is left that could let them go on");
}

void Cluster::report_unfinished() {
    const Operation* operation = in_flight.first();
    if (!operation) return;
    launch.report(number, text("simulator: missing wait: kernel ", function_name(launch.kernel), ", ", name_of(*operation->issuer),
                               ": its ", operation->what, " at ", source_line(operation->code), " is still under way when the block ends"));
}

void report_at_next_launch(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());  // the program may not get as far as a launch
    if (before_launch.empty()) before_launch = message;
}

void run_grid(const void* kernel, const LaunchShape& shape, Body body) {
    if (!before_launch.empty()) throw SimulatorError(std::exchange(before_launch, {}));
    check_limits(kernel, shape);
    const InterruptWatch watch;
    Launch(kernel, shape, body).run();
}

}  // namespace pyengine::simulator
