import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * The keyed count of {@code bench/src/state.rs} in Flink, in one process at parallelism 1. Prints
 * the records measured, wall seconds, CPU seconds of the process, and the sum of all counts
 * emitted in the warm-up.
 *
 * <p>Options: {@code --backend --keys --warm --records --memory-mb --directory}, {@code --skewed
 * true}; {@code --chained true} spares Flink the exchange by promising that the stream is keyed
 * already; {@code --checkpoint-ms} takes checkpoints. Other names are settings of Flink: {@code
 * --state.backend.rocksdb.use-bloom-filter true}.
 */
public final class KeyedCount {
    /** Counts are told of so many records at once, as ours are. */
    private static final long TOLD_AT_ONCE = 4096;

    private static volatile Marked warm;
    private static volatile Marked end;

    /** What was done by a moment. */
    private record Marked(long nanos, long cpuNanos, long records, long sum) {
        static Marked now(long records, long sum) {
            var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Marked(System.nanoTime(), system.getProcessCpuTime(), records, sum);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            given.put(arguments[i].substring(2), arguments[i + 1]);
        }
        String backend = given.remove("backend");
        String directory = given.remove("directory");
        String memoryMb = given.remove("memory-mb");
        long keys = Long.parseLong(given.remove("keys"));
        long warmRecords = Long.parseLong(given.remove("warm"));
        long records = Long.parseLong(given.remove("records"));
        boolean skewed = Boolean.parseBoolean(given.remove("skewed"));
        boolean chained = Boolean.parseBoolean(given.remove("chained"));
        String checkpointMs = given.remove("checkpoint-ms");

        Configuration configuration = new Configuration();
        configuration.setString("state.backend.type", backend);
        configuration.setString("taskmanager.numberOfTaskSlots", "1");
        configuration.setString("io.tmp.dirs", directory);
        if (backend.equals("rocksdb")) {
            configuration.setString("state.backend.rocksdb.memory.fixed-per-slot", memoryMb + "mb");
            configuration.setString("state.backend.rocksdb.localdir", directory);
        }
        if (checkpointMs != null) {
            configuration.setString("execution.checkpointing.interval", checkpointMs + "ms");
            configuration.setString("execution.checkpointing.dir", "file://" + directory);
        }
        given.forEach(configuration::setString);

        var env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
        env.getConfig().enableObjectReuse();
        DataStream<Long> numbers = env.fromSequence(0, warmRecords + records - 1);
        DataStream<Long> drawn =
                skewed
                        ? numbers.map(n -> skewed(n, keys)).returns(Types.LONG)
                        : numbers.map(n -> uniform(n, keys)).returns(Types.LONG);
        KeySelector<Long, Long> itself = key -> key;
        KeyedStream<Long, Long> keyed =
                chained
                        ? DataStreamUtils.reinterpretAsKeyedStream(drawn, itself, Types.LONG)
                        : drawn.keyBy(itself, Types.LONG);
        keyed.process(new Count(warmRecords)).returns(Types.LONG).sinkTo(new DiscardingSink<>());
        env.execute("keyed count");

        System.out.println("records\twall_s\tcpu_s\tsum_when_warm");
        System.out.printf(
                Locale.ROOT,
                "%d\t%.2f\t%.2f\t%s%n",
                end.records - warm.records,
                (end.nanos - warm.nanos) / 1e9,
                (end.cpuNanos - warm.cpuNanos) / 1e9,
                Long.toUnsignedString(warm.sum));
    }

    /** Counts the records of a key. */
    private static final class Count extends KeyedProcessFunction<Long, Long, Long> {
        private final long warmRecords;
        private transient ValueState<Long> count;
        private long records;
        private long sum;

        Count(long warmRecords) {
            this.warmRecords = warmRecords;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void processElement(Long key, Context context, Collector<Long> out)
                throws Exception {
            Long before = count.value();
            long now = before == null ? 1 : before + 1;
            count.update(now);
            sum += now;
            out.collect(now);
            records++;
            if (records % TOLD_AT_ONCE == 0 && records >= warmRecords && warm == null) {
                warm = Marked.now(records, sum);
            }
        }

        @Override
        public void close() {
            end = Marked.now(records, sum);
        }
    }

    /** A number that looks random. */
    private static long mix(long n) {
        long z = n * 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    /** A key, each as likely as any other. */
    private static long uniform(long n, long keys) {
        return (mix(n) >>> 1) % keys;
    }

    /** A key of a few that come often and many that come seldom; bench/src/state.rs says how. */
    private static long skewed(long n, long keys) {
        double u = (mix(n) >>> 11) / (double) (1L << 53);
        return mix((long) (u * u * u * u * keys));
    }

    private KeyedCount() {}
}
