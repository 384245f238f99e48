// Streams, graphs and the allocator over the fake runtime. `runtime NAME` runs one test, and ends with 1 where it fails.
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "csrc/cuda/allocator.h"
#include "csrc/cuda/stream.h"
#include "tests/cuda/fake_runtime.h"

namespace {

using namespace pyengine::cuda;

int failed = 0;

void expect(bool holds, const char* what) {
    if (!holds) std::printf("%s\n", what), failed = 1;
}

std::string raised(const std::function<void()>& call) {
    try {
        call();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}

/// A stream that belongs to the recording of the current one.
std::shared_ptr<Stream> forked() {
    auto stream = std::make_shared<Stream>(0);
    Event event(false);
    event.record(current_stream(), 0);
    stream->wait(event);
    return stream;
}

void streams() {
    expect(current_stream_of(0)->handle() == nullptr, "the default stream is current");
    auto side = std::make_shared<Stream>(0);
    const cudaStream_t handle = side->handle();
    set_current_stream(side);
    expect(current_stream_of(0) == side && current_stream() == handle, "the current stream is the one that was set");
    side.reset();
    expect(current_stream_of(0)->handle() == handle, "a current stream lives");
    Event event(false);
    event.record(current_stream(), 0);
    set_current_stream(Stream::default_of(0));
    current_stream_of(0)->wait(event);
    expect(current_stream() == nullptr, "the default stream can be set");
}

void default_stream_recorded() {
    set_current_stream(std::make_shared<Stream>(0));
    void* x = allocate(1000, 0);
    record_stream(x, Stream::default_of(0)->handle());
    fake::busy = true;
    deallocate(x);
    expect(allocate(1000, 0) != x, "memory waits for the default stream");
    fake::busy = false;
    expect(allocate(1000, 0) == x, "and is used afterwards");
}

void awaited() {
    void* x = allocate(600 << 10, 0);
    auto side = std::make_shared<Stream>(0);
    record_stream(x, side->handle());
    fake::busy = true;
    deallocate(x);
    expect(memory_stats(0).in_use == 640 << 10, "memory is in use while another stream's work is not done");
    fake::busy = false;
    allocate(100, 0);
    expect(memory_stats(0).cached == 640 << 10, "and cached afterwards");
}

void cache_before_failure() {
    deallocate(allocate(600 << 10, 0));
    void* x = allocate(900 << 10, 0);
    expect(memory_stats(0).cached == 0, "the cache goes back to the driver before memory runs out");
    expect(raised([] { allocate(900 << 10, 0); }).find("arrays hold 983040, the cache 0") != std::string::npos, "the message counts");
    deallocate(x);
    allocate(100, 0);
}

void forked_in_a_graph() {
    Graph graph;
    graph.begin_capture(0);
    const auto main = current_stream_of(0), side = forked();
    void* x = allocate(1000, 0);
    deallocate(x);
    set_current_stream(side);
    expect(allocate(1000, 0) != x, "a forked stream does not get the other's block");
    set_current_stream(main);
    expect(allocate(1000, 0) == x, "the stream itself does");
    void* y = allocate(2000, 0);
    record_stream(y, side->handle());
    deallocate(y);
    expect(allocate(2000, 0) != y, "nor is one used again that two streams of a graph use");
    set_current_stream(Stream::default_of(0));
    expect(allocate(2000, 0) != y, "not even by what is not recorded");
    set_current_stream(main);
    graph.end_capture(true);
    expect(raised([] { allocate(100, 0); }).empty(), "events that were recorded are not asked");
}

void without_cache() {
    void* outside = allocate(1000, 0);
    deallocate(outside);
    expect(fake::freed.contains(outside), "without a cache memory goes back at once");
    void* x = nullptr;
    {
        Graph graph;
        graph.begin_capture(0);
        x = allocate(1000, 0);
        deallocate(x);
        graph.end_capture(true);
        graph.replay();
        expect(!fake::freed.contains(x), "a graph's does not: replays write to it");
    }
    expect(fake::freed.contains(x), "until the graph goes");
}

void first_launch() {
    Graph graph;
    graph.begin_capture(0);
    expect(fake::launches.size() == 1 && !fake::launches[0].captured, "keep_first is loaded before the recording");
    graph.check(nullptr, [](std::int64_t) {});
    expect(fake::launches.size() == 2 && fake::launches[1].captured, "and recorded in it");
    graph.end_capture(true);
    expect(current_stream() == nullptr, "the stream before is current again");
}

void thrown_away() {
    Graph graph;
    graph.begin_capture(0);
    auto owner = std::make_shared<int>(0);
    graph.check(nullptr, [owner](std::int64_t) {});
    graph.end_capture(false);
    expect(owner.use_count() == 1, "its checks go");
    expect(raised([&] { graph.replay(); }).find("nothing was captured") != std::string::npos, "it cannot be replayed");
    graph.begin_capture(0);
    raised([] { current_stream_of(0)->synchronize(); });
    expect(raised([&] { graph.end_capture(true); }).find("cudaStreamEndCapture failed") != std::string::npos, "a broken one is reported");
    graph.begin_capture(0);
    graph.end_capture(true);
    expect(raised([&] { graph.replay(); }).empty(), "something else can be captured");
}

const std::map<std::string, void (*)()> tests = {
    {"streams", streams},
    {"default_stream_recorded", default_stream_recorded},
    {"awaited", awaited},
    {"cache_before_failure", cache_before_failure},
    {"forked_in_a_graph", forked_in_a_graph},
    {"without_cache", without_cache},
    {"first_launch", first_launch},
    {"thrown_away", thrown_away},
};

}  // namespace

int main(int, char** arguments) {
    tests.at(arguments[1])();
    return failed;
}
