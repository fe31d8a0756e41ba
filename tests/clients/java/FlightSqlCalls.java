import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.arrow.flight.Action;
import org.apache.arrow.flight.CallHeaders;
import org.apache.arrow.flight.CallInfo;
import org.apache.arrow.flight.CallOption;
import org.apache.arrow.flight.CallStatus;
import org.apache.arrow.flight.CancelFlightInfoRequest;
import org.apache.arrow.flight.CancelStatus;
import org.apache.arrow.flight.CloseSessionRequest;
import org.apache.arrow.flight.CloseSessionResult;
import org.apache.arrow.flight.FlightCallHeaders;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightClientMiddleware;
import org.apache.arrow.flight.FlightEndpoint;
import org.apache.arrow.flight.FlightInfo;
import org.apache.arrow.flight.FlightRuntimeException;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.GetSessionOptionsRequest;
import org.apache.arrow.flight.GetSessionOptionsResult;
import org.apache.arrow.flight.HeaderCallOption;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.NoOpSessionOptionValueVisitor;
import org.apache.arrow.flight.RenewFlightEndpointRequest;
import org.apache.arrow.flight.SessionOptionValueFactory;
import org.apache.arrow.flight.SetSessionOptionsRequest;
import org.apache.arrow.flight.SetSessionOptionsResult;
import org.apache.arrow.flight.Ticket;
import org.apache.arrow.flight.auth2.BasicAuthCredentialWriter;
import org.apache.arrow.flight.auth2.BearerCredentialWriter;
import org.apache.arrow.flight.auth2.ClientBearerHeaderHandler;
import org.apache.arrow.flight.auth2.ClientIncomingAuthHeaderMiddleware;
import org.apache.arrow.flight.client.ClientCookieMiddleware;
import org.apache.arrow.flight.grpc.CredentialCallOption;
import org.apache.arrow.flight.grpc.StatusUtils;
import org.apache.arrow.flight.sql.CancelResult;
import org.apache.arrow.flight.sql.FlightSqlClient.PreparedStatement;
import org.apache.arrow.flight.sql.FlightSqlClient.Transaction;
import org.apache.arrow.flight.sql.FlightSqlClient;
import org.apache.arrow.flight.sql.FlightSqlProducer.Schemas;
import org.apache.arrow.flight.sql.impl.FlightSql.ActionClosePreparedStatementRequest;
import org.apache.arrow.flight.sql.impl.FlightSql.CommandStatementIngest.TableDefinitionOptions;
import org.apache.arrow.flight.sql.impl.FlightSql.SqlInfo;
import org.apache.arrow.flight.sql.util.TableRef;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.DateDayVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.DenseUnionVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.impl.UnionMapReader;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.DateUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.arrow.vector.util.Text;

/**
 * The calls that lie under the Flight SQL JDBC driver, made with Apache Arrow's own FlightSqlClient.
 *
 * <p>Prints {@code ok ID what} or {@code FAIL ID what: why} for each check, where ID is a row of the conformance table in
 * the design of Flight SQL, and ends with status 1 when one failed. The server and the logins stand in the environment:
 * FLIGHT, HTTP, NAME, PASSWORD, TOKEN, and BRANCH_TOKEN and READER_TOKEN of a branch's analyst and a reader of reports.
 */
public final class FlightSqlCalls {
  static final String CUBE = "head_office.deposits";
  static final String BY_BRANCH =
      "SELECT month, branch, SUM(balance) AS balance FROM " + CUBE + " GROUP BY month, branch ORDER BY month, branch";
  static final String OF_BRANCH =
      "SELECT month, SUM(balance) AS balance FROM " + CUBE + " WHERE branch = %s AND month >= %s"
          + " GROUP BY month ORDER BY month";
  static final String FACT = "warehouse.fact_balance_monthly";
  static final String ENDLESS = "SELECT a.*, b.account_sk AS other FROM " + FACT + " a CROSS JOIN " + FACT + " b";

  static final ArrowType DATE = new ArrowType.Date(DateUnit.DAY);
  static final ArrowType MONEY = new ArrowType.Decimal(18, 2, 128);

  static final ObjectMapper JSON = new ObjectMapper();
  static final String TOKEN = System.getenv("TOKEN");

  static final Pattern SENTENCE = Pattern.compile("(.+) \\(id [0-9a-f]+\\)");

  static int failures;

  interface Code {
    void run() throws Exception;
  }

  static void check(String id, String what, Code code) {
    try {
      code.run();
      System.out.println("ok " + id + " " + what);
    } catch (Throwable fault) {
      failures++;
      System.out.println("FAIL " + id + " " + what + ": " + fault.toString().replace('\n', ' '));
      fault.printStackTrace();
    }
  }

  static void equal(Object expected, Object got) {
    if (!Objects.equals(expected, got)) {
      throw new AssertionError("expected " + expected + ", got " + got);
    }
  }

  static void holds(boolean condition, Object shown) {
    if (!condition) {
      throw new AssertionError(String.valueOf(shown));
    }
  }

  /** A call must fail with this status and reason; gives the sentence without its id. */
  static String refused(Status.Code code, String reason, Code call) throws Exception {
    try {
      call.run();
    } catch (FlightRuntimeException error) {
      // The library has fewer codes than gRPC, so the details are asked too; they hold a google.rpc.Status.
      equal(StatusUtils.fromGrpcStatusCode(code), error.status().code());
      byte[] details = error.status().metadata().getByte("grpc-status-details-bin");
      equal(List.of((long) code.value()), UnknownFieldSet.parseFrom(details).getField(1).getVarintList());
      holds(new String(details, StandardCharsets.UTF_8).contains(reason), "another reason than " + reason);
      Matcher sentence = SENTENCE.matcher(error.getMessage());
      holds(sentence.matches(), error.getMessage());
      return sentence.group(1);
    }
    throw new AssertionError("expected " + code + ", and the call went well");
  }

  // -- connections

  /** Keeps the token that the server answers a handshake with. */
  static final class Received implements FlightClientMiddleware.Factory {
    volatile String token;

    @Override
    public FlightClientMiddleware onCallStarted(CallInfo info) {
      return new FlightClientMiddleware() {
        @Override
        public void onBeforeSendingHeaders(CallHeaders outgoing) {}

        @Override
        public void onHeadersReceived(CallHeaders incoming) {
          if (incoming.containsKey("authorization")) {
            token = incoming.get("authorization");
          }
        }

        @Override
        public void onCallCompleted(CallStatus status) {}
      };
    }
  }

  static BufferAllocator allocator;

  /** A connection as the driver makes it: cookies, the token of the handshake, headers that the server does not know. */
  static final class Connection implements AutoCloseable {
    final Received received = new Received();
    final ClientIncomingAuthHeaderMiddleware.Factory login =
        new ClientIncomingAuthHeaderMiddleware.Factory(new ClientBearerHeaderHandler());
    final FlightClient flight =
        FlightClient.builder(allocator, new Location(URI.create(System.getenv("FLIGHT").replace("grpc://", "grpc+tcp://"))))
            .intercept(received)
            .intercept(login)
            .intercept(new ClientCookieMiddleware.Factory())
            .build();
    final FlightSqlClient sql = new FlightSqlClient(flight);
    CallOption[] options = {};

    static Connection byToken(String token) {
      Connection connection = new Connection();
      connection.use(bearer(token));
      return connection;
    }

    void use(CallOption credentials) {
      CallHeaders headers = new FlightCallHeaders();
      headers.insert("applicationname", "a tool");
      options = new CallOption[] {credentials, new HeaderCallOption(headers)};
    }

    static CredentialCallOption bearer(String token) {
      return new CredentialCallOption(new BearerCredentialWriter(token));
    }

    static CredentialCallOption basic(String name, String password) {
      return new CredentialCallOption(new BasicAuthCredentialWriter(name, password));
    }

    List<Map<String, Object>> rows(FlightInfo info) throws Exception {
      return rows(info, null);
    }

    /** All rows; the stream's schema must be the announced one, and there is one endpoint, on this connection. */
    List<Map<String, Object>> rows(FlightInfo info, Schema announced) throws Exception {
      equal(1, info.getEndpoints().size());
      FlightEndpoint endpoint = info.getEndpoints().get(0);
      equal(List.of(), endpoint.getLocations());
      List<Map<String, Object>> rows = new ArrayList<>();
      try (FlightStream stream = sql.getStream(endpoint.getTicket(), options)) {
        equal(info.getSchema().getFields(), stream.getSchema().getFields());
        if (announced != null) {
          equal(announced.getFields(), stream.getSchema().getFields());
        }
        while (stream.next()) {
          VectorSchemaRoot root = stream.getRoot();
          for (int row = 0; row < root.getRowCount(); row++) {
            Map<String, Object> values = new TreeMap<>();
            for (FieldVector vector : root.getFieldVectors()) {
              values.put(vector.getName(), value(vector, row));
            }
            rows.add(values);
          }
        }
      }
      return rows;
    }

    List<Map<String, Object>> query(String statement) throws Exception {
      return rows(sql.execute(statement, options));
    }

    List<Object> column(String name, FlightInfo info) throws Exception {
      return rows(info).stream().map(row -> row.get(name)).toList();
    }

    @Override
    public void close() throws Exception {
      sql.close();
    }
  }

  /** A value in the type that JDBC would give. */
  static Object value(FieldVector vector, int row) {
    if (vector.isNull(row) && !(vector instanceof DenseUnionVector)) {
      return null;
    }
    if (vector instanceof DenseUnionVector union) {
      return value((FieldVector) union.getVectorByType(union.getTypeId(row)), union.getOffset(row));
    }
    if (vector instanceof DateDayVector dates) {
      return LocalDate.ofEpochDay(dates.get(row));
    }
    if (vector instanceof MapVector maps) {
      // Like the driver: by the reader, which knows entries by their names.
      UnionMapReader reader = maps.getReader();
      reader.setPosition(row);
      Map<Object, Object> map = new HashMap<>();
      while (reader.next()) {
        map.put(reader.key().readObject(), reader.value().readObject());
      }
      return map;
    }
    if (vector instanceof ListVector lists) {
      return lists.getObject(row).stream().map(item -> item instanceof Text ? item.toString() : item).toList();
    }
    if (vector instanceof VarCharVector texts) {
      return texts.getObject(row).toString();
    }
    return vector.getObject(row);
  }

  /** Rows as text, in which both faces can be compared. */
  static List<Map<String, String>> texts(List<Map<String, Object>> rows) {
    return rows.stream()
        .map(row -> {
          Map<String, String> texts = new TreeMap<>();
          row.forEach((name, value) ->
              texts.put(name, value instanceof BigDecimal exact ? exact.toPlainString() : String.valueOf(value)));
          return texts;
        }).toList();
  }

  /** What the other face answers to the same statement. */
  static List<Map<String, String>> overHttp(String statement) throws Exception {
    String body = JSON.writeValueAsString(Map.of("sql", statement, "format", "json"));
    HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("HTTP") + "/api/sql"))
        .header("Authorization", "Bearer " + TOKEN)
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
    HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    equal(200, answer.statusCode());
    List<Map<String, String>> rows = new ArrayList<>();
    for (JsonNode row : JSON.readTree(answer.body()).get("rows")) {
      Map<String, String> texts = new TreeMap<>();
      row.fields().forEachRemaining(cell -> texts.put(cell.getKey(), cell.getValue().asText()));
      rows.add(texts);
    }
    holds(!rows.isEmpty(), statement);
    return rows;
  }

  static void sameAsOverHttp(String statement, List<Map<String, Object>> rows) throws Exception {
    equal(overHttp(statement), texts(rows));
  }

  static List<String> names(Schema schema) {
    return schema.getFields().stream().map(Field::getName).toList();
  }

  static List<ArrowType> types(Schema schema) {
    return schema.getFields().stream().map(Field::getType).toList();
  }

  public static void main(String[] arguments) throws Exception {
    // The root allocator reports at its end what was not given back.
    try (BufferAllocator root = new RootAllocator()) {
      allocator = root;
      handshakes();
      try (Connection connection = new Connection()) {
        connection.flight.handshake(Connection.basic(System.getenv("NAME"), System.getenv("PASSWORD")));
        connection.use(connection.login.getCredentialCallOption());
        sqlInfo(connection);
        metadata(connection);
        statements(connection);
        refusals(connection);
        transactions(connection);
        cancelling(connection);
        sessions(connection);
      }
    }
    System.exit(failures == 0 ? 0 : 1);
  }

  // -- H

  static void handshakes() {
    String name = System.getenv("NAME");
    check("H1", "a handshake by password gives a session token, which is taken", () -> {
      try (Connection connection = new Connection()) {
        connection.flight.handshake(Connection.basic(name, System.getenv("PASSWORD")));
        String answered = connection.received.token;
        holds(answered.startsWith("Bearer cts_"), "another kind of token");
        connection.use(connection.login.getCredentialCallOption());
        equal(1L, connection.query("SELECT COUNT(*) AS n FROM (VALUES (1)) AS t (a)").get(0).get("n"));
      }
    });
    check("H1", "authenticateBasicToken", () -> {
      try (Connection connection = new Connection()) {
        connection.use(connection.flight.authenticateBasicToken(name, System.getenv("PASSWORD")).orElseThrow());
        equal(List.of("countinghouse"), connection.column("catalog_name", connection.sql.getCatalogs(connection.options)));
      }
    });
    check("H2", "a handshake by token gives a fresh session token, and the driver goes on with its own", () -> {
      Set<String> answered = new TreeSet<>();
      for (int time = 0; time < 2; time++) {
        try (Connection connection = new Connection()) {
          connection.flight.handshake(Connection.bearer(TOKEN));
          answered.add(connection.received.token);
          connection.use(Connection.bearer(TOKEN));
          equal(1L, connection.query("SELECT COUNT(*) AS n FROM (VALUES (1)) AS t (a)").get(0).get("n"));
        }
      }
      equal(2, answered.size());
      holds(answered.stream().allMatch(token -> token.startsWith("Bearer cts_")), "another kind of token");
    });
    check("H4", "a token without a handshake", () -> {
      try (Connection connection = Connection.byToken(TOKEN)) {
        equal(List.of("countinghouse"), connection.column("catalog_name", connection.sql.getCatalogs(connection.options)));
      }
    });
    check("H5", "every wrong login is UNAUTHENTICATED with one text", () -> {
      Set<String> said = new TreeSet<>();
      List<CallOption> logins = List.of(
          Connection.basic(name, "wrong"), Connection.basic("nobody", "wrong"),
          Connection.bearer("None"), Connection.bearer(TOKEN + "x"));
      for (CallOption wrong : logins) {
        try (Connection connection = new Connection()) {
          said.add(refused(Status.Code.UNAUTHENTICATED, "TOKEN", () -> connection.flight.handshake(wrong)));
          said.add(refused(Status.Code.UNAUTHENTICATED, "TOKEN", () -> connection.sql.getCatalogs(wrong)));
        }
      }
      equal(1, said.size());
    });
    check("H5", "a reader of reports is PERMISSION_DENIED", () -> {
      try (Connection connection = Connection.byToken(System.getenv("READER_TOKEN"))) {
        refused(Status.Code.PERMISSION_DENIED, "DENIED", () -> connection.sql.execute("SELECT 1", connection.options));
      }
    });
  }

  // -- I

  static final Set<Integer> TRUE = Set.of(3, 4, 9, 506, 515, 516, 518, 520, 521, 523, 532, 539, 563);
  static final Map<Integer, Object> TEXTS = new HashMap<>();
  static final Map<Integer, Integer> NUMBERS = new HashMap<>();

  static {
    Object[] texts = {
      0, "Countinghouse", 6, null, 7, null, 504, "\"", 513, "\\", 514, "", 529, "schema", 530, "", 531, "catalog"
    };
    for (int at = 0; at < texts.length; at += 2) {
      TEXTS.put((Integer) texts[at], texts[at + 1]);
    }
    int[] numbers = {
      8, 1, 100, 43_200_000, 101, 1_800_000, 503, 3, 505, 0, 507, 0, 522, 3, 525, 3, 526, 1, 528, 2, 533, 0, 534, 0, 535, 0,
      538, 7, 540, 3, 562, 2, 564, 12, 567, 2, 568, 0, 569, 2, 570, 0, 571, 0
    };
    for (int at = 0; at < numbers.length; at += 2) {
      NUMBERS.put(numbers[at], numbers[at + 1]);
    }
  }

  /** The type that a value has in Java, by the child of the union that its id is published with. */
  static Class<?> javaType(int id) {
    if (id <= 2 || id == 6 || id == 7 || TEXTS.containsKey(id)) {
      return String.class;
    }
    if (NUMBERS.containsKey(id)) {
      return Integer.class;
    }
    if (id >= 541 && id <= 561 && id != 556) {
      return Long.class;
    }
    if (id >= 508 && id <= 512) {
      return List.class;
    }
    return id == 517 ? Map.class : Boolean.class;
  }

  static Map<Integer, Object> sqlInfo(Connection connection, FlightInfo info) throws Exception {
    Map<Integer, Object> told = new TreeMap<>();
    for (Map<String, Object> row : connection.rows(info)) {
      told.put((Integer) row.get("info_name"), row.get("value"));
    }
    return told;
  }

  static void sqlInfo(Connection connection) throws Exception {
    check("I1", "two ids, and one that is unknown", () -> {
      Map<Integer, Object> told = sqlInfo(connection, connection.sql.getSqlInfo(new int[] {8, 9999, 0}, connection.options));
      equal(Map.of(0, "Countinghouse", 8, 1), told);
    });
    AtomicReference<Map<Integer, Object>> all = new AtomicReference<>(Map.of());
    check("I2", "all ids that the library knows, and no other", () -> {
      all.set(sqlInfo(connection, connection.sql.getSqlInfo(new int[0], connection.options)));
      Set<Integer> known = new TreeSet<>();
      for (SqlInfo info : SqlInfo.values()) {
        if (info != SqlInfo.UNRECOGNIZED) {
          known.add(info.getNumber());
        }
      }
      equal(known, all.get().keySet());
      equal(91, known.size());
    });
    all.get().forEach((id, value) -> check("I2", "id " + id + " " + SqlInfo.forNumber(id), () -> {
      Class<?> type = javaType(id);
      holds(value == null ? id == 6 || id == 7 : type.isInstance(value), value == null ? "null" : value.getClass());
      if (TEXTS.containsKey(id)) {
        equal(TEXTS.get(id), value);
      } else if (NUMBERS.containsKey(id)) {
        equal(NUMBERS.get(id), value);
      } else if (type == Boolean.class) {
        equal(TRUE.contains(id), value);
      } else if (type == Long.class) {
        equal(id == 557 ? 65_536L : 0L, value);
      } else if (type == String.class) {
        holds(((String) value).matches("[0-9]+\\.[0-9]+\\.[0-9]+.*"), value); // the versions
      } else if (type == List.class) {
        holds(((List<?>) value).stream().allMatch(String.class::isInstance), value);
      } else {
        // As DatabaseMetaData.supportsConvert asks: INTEGER to BIGINT, VARCHAR to DATE; not DATE to BIT.
        Map<?, ?> converts = (Map<?, ?>) value;
        holds(converts.keySet().containsAll(Set.of(4, 7, 19)), converts);
        holds(((List<?>) converts.get(7)).contains(0), converts);
        holds(((List<?>) converts.get(19)).contains(4), converts);
        holds(!((List<?>) converts.get(4)).contains(2), converts);
      }
    }));
  }

  // -- M

  static void metadata(Connection connection) {
    FlightSqlClient sql = connection.sql;
    CallOption[] options = connection.options;
    check("M1", "catalogs", () -> {
      FlightInfo info = sql.getCatalogs(options);
      equal(List.of(Map.of("catalog_name", "countinghouse")), connection.rows(info, Schemas.GET_CATALOGS_SCHEMA));
    });
    check("M2", "schemas, those of the pattern, those of another catalog", () -> {
      List<Object> all = connection.column("db_schema_name", sql.getSchemas(null, null, options));
      holds(all.containsAll(List.of("head_office", "beijing", "shanghai", "system", "warehouse")), all);
      equal(all.stream().sorted().toList(), all);
      equal(List.of(Map.of("catalog_name", "countinghouse", "db_schema_name", "head_office")),
          connection.rows(sql.getSchemas("countinghouse", "head\\_off%", options), Schemas.GET_SCHEMAS_SCHEMA));
      equal(List.of(), connection.rows(sql.getSchemas("other", null, options), Schemas.GET_SCHEMAS_SCHEMA));
    });
    check("M3", "tables without their columns", () -> {
      FlightInfo info = sql.getTables("countinghouse", "head_office", "deposits", null, false, options);
      Map<String, String> expected = Map.of("catalog_name", "countinghouse", "db_schema_name", "head_office",
          "table_name", "deposits", "table_type", "TABLE");
      equal(List.of(expected), connection.rows(info, Schemas.GET_TABLES_SCHEMA_NO_SCHEMA));
    });
    check("M4", "getColumns: tables with their columns", () -> {
      FlightInfo info = sql.getTables("countinghouse", "head_office", "%", null, true, options);
      Map<Object, Schema> tables = new HashMap<>();
      for (Map<String, Object> row : connection.rows(info, Schemas.GET_TABLES_SCHEMA)) {
        tables.put(row.get("table_name"), MessageSerializer.deserializeSchema(
            new ReadChannel(Channels.newChannel(new ByteArrayInputStream((byte[]) row.get("table_schema"))))));
      }
      holds(tables.keySet().containsAll(Set.of("deposits", "deposits_detail", "credit")), tables.keySet());
      holds(tables.values().stream().noneMatch(schema -> schema.getFields().isEmpty()), "a table without columns");
      Field balance = tables.get("deposits").findField("balance");
      equal(MONEY, balance.getType());
      equal("DECIMAL", balance.getMetadata().get("ARROW:FLIGHT:SQL:TYPE_NAME"));
      equal("18", balance.getMetadata().get("ARROW:FLIGHT:SQL:PRECISION"));
      equal("2", balance.getMetadata().get("ARROW:FLIGHT:SQL:SCALE"));
      String some = "SELECT month, branch FROM " + CUBE + " GROUP BY month, branch";
      for (Field field : sql.getExecuteSchema(some, options).getSchema().getFields()) {
        equal(tables.get("deposits").findField(field.getName()).getType(), field.getType());
      }
    });
    check("M5", "patterns, the literal name first", () -> {
      Map<String, List<String>> expected = new TreeMap<>();
      expected.put("d_posits", List.of("deposits"));
      expected.put("deposits_detail", List.of("deposits_detail"));
      expected.put("deposits\\_detail", List.of("deposits_detail"));
      expected.put("nothing", List.of());
      for (Map.Entry<String, List<String>> pattern : expected.entrySet()) {
        equal(pattern.getValue(),
            connection.column("table_name", sql.getTables(null, "head_office", pattern.getKey(), null, false, options)));
      }
      equal(List.of("deposits", "deposits_detail"),
          connection.column("table_name", sql.getTables(null, "head_office", "deposits%", null, false, options)));
    });
    check("M6", "types of tables in any case", () -> {
      Map<List<String>, Set<String>> expected = Map.of(
          List.of("TABLE"), Set.of("TABLE"), List.of("table"), Set.of("TABLE"), List.of("BASE TABLE"), Set.of("TABLE"),
          List.of("VIEW", "SYSTEM TABLE"), Set.of("VIEW", "SYSTEM TABLE"), List.of("ALIAS"), Set.of());
      for (List<String> kinds : expected.keySet()) {
        FlightInfo info = sql.getTables(null, null, null, kinds, false, options);
        equal(expected.get(kinds), Set.copyOf(connection.column("table_type", info)));
      }
    });
    check("M7", "types of tables", () -> {
      List<Map<String, Object>> rows = connection.rows(sql.getTableTypes(options), Schemas.GET_TABLE_TYPES_SCHEMA);
      equal(List.of("SYSTEM TABLE", "TABLE", "VIEW"), rows.stream().map(row -> row.get("table_type")).toList());
    });
    check("M8", "a cube is joined already: no keys, and the schemas of keys", () -> {
      TableRef cube = TableRef.of("countinghouse", "head_office", "deposits");
      FlightInfo keys = sql.getPrimaryKeys(cube, options);
      equal(List.of(), connection.rows(keys));
      samePrimaryKeys(keys.getSchema());
      equal(List.of(), connection.rows(sql.getImportedKeys(cube, options), Schemas.GET_IMPORTED_KEYS_SCHEMA));
      equal(List.of(), connection.rows(sql.getExportedKeys(cube, options), Schemas.GET_EXPORTED_KEYS_SCHEMA));
      equal(List.of(), connection.rows(sql.getCrossReference(cube, cube, options), Schemas.GET_CROSS_REFERENCE_SCHEMA));
    });
    check("M8", "keys of the star", () -> {
      TableRef fact = TableRef.of("countinghouse", "warehouse", "fact_balance_monthly");
      TableRef dimension = TableRef.of("countinghouse", "warehouse", "dim_org");
      Map<String, Object> key = connection.rows(sql.getPrimaryKeys(dimension, options)).get(0);
      equal(List.of("org_sk", 1), List.of(key.get("column_name"), key.get("key_sequence")));
      List<Map<String, Object>> imported =
          connection.rows(sql.getImportedKeys(fact, options), Schemas.GET_IMPORTED_KEYS_SCHEMA);
      equal(List.of("dim_account", "dim_customer", "dim_employee", "dim_org", "dim_product"),
          imported.stream().map(row -> row.get("pk_table_name")).toList());
      List<Map<String, Object>> one = imported.stream().filter(row -> row.get("pk_table_name").equals("dim_org")).toList();
      equal(key.get("key_name"), one.get(0).get("pk_key_name"));
      equal(one, connection.rows(sql.getCrossReference(dimension, fact, options), Schemas.GET_CROSS_REFERENCE_SCHEMA));
      FlightInfo exported = sql.getExportedKeys(dimension, options);
      holds(connection.rows(exported, Schemas.GET_EXPORTED_KEYS_SCHEMA).containsAll(one), one);
    });
    check("M9", "all types in order, and one", () -> {
      FlightInfo info = sql.getXdbcTypeInfo(options);
      equal(names(Schemas.GET_TYPE_INFO_SCHEMA), names(info.getSchema()));
      equal(types(Schemas.GET_TYPE_INFO_SCHEMA), types(info.getSchema()));
      List<Map<String, Object>> all = connection.rows(info);
      List<Object> codes = all.stream().map(row -> row.get("data_type")).toList();
      equal(codes.stream().sorted().toList(), codes);
      holds(all.stream().map(row -> row.get("type_name")).collect(Collectors.toSet())
          .containsAll(Set.of("DECIMAL", "VARCHAR", "DATE", "TIMESTAMP", "BIGINT", "BOOLEAN")), codes);
      List<Map<String, Object>> one = connection.rows(sql.getXdbcTypeInfo(java.sql.Types.VARCHAR, options));
      equal(List.of("VARCHAR"), one.stream().map(row -> row.get("type_name")).toList());
    });
    check("M10", "a branch sees its own schema only", () -> {
      try (Connection branch = Connection.byToken(System.getenv("BRANCH_TOKEN"))) {
        List<Object> seen = branch.column("db_schema_name", branch.sql.getSchemas(null, null, branch.options));
        holds(seen.contains("beijing"), seen);
        holds(Collections.disjoint(seen, List.of("head_office", "shanghai", "warehouse")), seen);
      }
    });
  }

  /** The library has the last two columns in another order than the protocol, and the driver goes by their names. */
  static void samePrimaryKeys(Schema schema) {
    equal(Set.copyOf(Schemas.GET_PRIMARY_KEYS_SCHEMA.getFields()), Set.copyOf(schema.getFields()));
    equal(List.of("key_name", "key_sequence"), names(schema).subList(4, 6));
  }

  // -- Q

  static Object[] row(Object... values) {
    return values;
  }

  /** Rows to bind; the statement that they are given to frees them. */
  static VectorSchemaRoot parameters(Schema schema, Object[]... rows) {
    VectorSchemaRoot root = VectorSchemaRoot.create(schema, allocator);
    root.allocateNew();
    for (int row = 0; row < rows.length; row++) {
      for (int column = 0; column < rows[row].length; column++) {
        Object value = rows[row][column];
        if (value instanceof LocalDate date) {
          ((DateDayVector) root.getVector(column)).setSafe(row, (int) date.toEpochDay());
        } else {
          ((VarCharVector) root.getVector(column)).setSafe(row, ((String) value).getBytes(StandardCharsets.UTF_8));
        }
      }
    }
    root.setRowCount(rows.length);
    return root;
  }

  static String literal(Object branch, LocalDate since) {
    return String.format(OF_BRANCH, "'" + branch + "'", "DATE '" + since + "'");
  }

  static void statements(Connection connection) throws Exception {
    FlightSqlClient sql = connection.sql;
    CallOption[] options = connection.options;
    List<String> branches = overHttp("SELECT branch FROM " + CUBE + " GROUP BY branch ORDER BY branch").stream()
        .map(row -> row.get("branch")).toList();
    String prepared = String.format(OF_BRANCH, "?", "?");
    LocalDate since = LocalDate.of(2025, 10, 1);

    check("Q1", "plan, then rows", () -> {
      FlightInfo info = sql.execute(BY_BRANCH, options);
      equal(-1L, info.getRecords());
      equal(-1L, info.getBytes());
      holds(info.getOrdered(), "not ordered");
      // Its value is of no use here: the library counts the seconds twice.
      holds(info.getEndpoints().get(0).getExpirationTime().isPresent(), "no expiry");
      JsonNode provenance = JSON.readTree(info.getAppMetadata());
      holds(provenance.get("v").asInt() == 1 && provenance.get("snapshot").asLong() > 0, provenance);
      List<Map<String, Object>> rows = connection.rows(info);
      holds(rows.size() > branches.size(), rows.size());
      holds(rows.get(0).get("balance") instanceof BigDecimal && rows.get(0).get("month") instanceof LocalDate, rows.get(0));
      sameAsOverHttp(BY_BRANCH, rows);
    });
    check("Q2", "a prepared statement says its columns and its parameters", () -> {
      try (Prepared statement = new Prepared(connection, prepared)) {
        Schema schema = statement.get().getResultSetSchema();
        equal(List.of("month", "balance"), names(schema));
        equal(List.of(DATE, MONEY), types(schema));
        holds(schema.getFields().stream().allMatch(Field::isNullable), schema);
      }
      try (Prepared statement = new Prepared(connection, BY_BRANCH)) {
        equal(List.of(), statement.get().getParameterSchema().getFields());
        sameAsOverHttp(BY_BRANCH, connection.rows(statement.get().execute(options), statement.get().getResultSetSchema()));
      }
    });
    check("Q3", "types of parameters, text where nothing is known", () -> {
      try (Prepared statement = new Prepared(connection, prepared);
          Prepared unknown = new Prepared(connection, "SELECT ? AS a")) {
        Schema schema = statement.get().getParameterSchema();
        equal(List.of(ArrowType.Utf8.INSTANCE, DATE), types(schema));
        equal(List.of(ArrowType.Utf8.INSTANCE), types(unknown.get().getParameterSchema()));
        holds(schema.getFields().stream().allMatch(Field::isNullable), schema);
        holds(unknown.get().getParameterSchema().getFields().get(0).isNullable(), unknown.get().getParameterSchema());
      }
    });
    check("Q4", "both forms of parameters, question marks in text, no mixture", () -> {
      for (String text : List.of(prepared, String.format(OF_BRANCH, "$1", "$2"))) {
        try (Prepared statement = new Prepared(connection, text)) {
          statement.bind(row(branches.get(0), since));
          sameAsOverHttp(literal(branches.get(0), since), connection.rows(statement.get().execute(options)));
        }
      }
      try (Prepared statement = new Prepared(connection, "SELECT '?' AS a, ? AS b -- ?")) {
        statement.bind(row("余额"));
        equal(List.of(Map.of("a", "?", "b", "余额")), connection.rows(statement.get().execute(options)));
      }
      refused(Status.Code.INVALID_ARGUMENT, "BAD_REQUEST", () -> sql.prepare("SELECT ? AS a, $1 AS b", options));
    });
    check("Q5", "several rows of parameters are run in order", () -> {
      try (Prepared statement = new Prepared(connection, prepared)) {
        statement.bind(row(branches.get(1), since), row(branches.get(0), since));
        List<Map<String, String>> expected = new ArrayList<>(overHttp(literal(branches.get(1), since)));
        expected.addAll(overHttp(literal(branches.get(0), since)));
        equal(expected, texts(connection.rows(statement.get().execute(options), statement.get().getResultSetSchema())));
      }
    });
    check("Q5", "nothing bound, or a value of another type", () -> {
      try (Prepared statement = new Prepared(connection, prepared)) {
        refused(Status.Code.INVALID_ARGUMENT, "BAD_REQUEST", () -> statement.get().execute(options));
        Schema asText = new Schema(Stream.of("1", "2").map(name -> Field.nullable(name, ArrowType.Utf8.INSTANCE)).toList());
        statement.get().setParameters(parameters(asText, row(branches.get(0), "no date")));
        refused(Status.Code.INVALID_ARGUMENT, "BAD_REQUEST", () -> statement.get().execute(options));
      }
    });
    check("Q6", "run again, bound again", () -> {
      try (Prepared statement = new Prepared(connection, prepared)) {
        for (String branch : List.of(branches.get(0), branches.get(1))) {
          // The library binds to the handle that it got for the last parameters.
          statement.bind(row(branch, since));
          for (int time = 0; time < 2; time++) {
            sameAsOverHttp(literal(branch, since), connection.rows(statement.get().execute(options)));
          }
        }
      }
    });
    check("Q7", "closing once, twice, and what is unknown", () -> {
      PreparedStatement statement = sql.prepare("SELECT 1 AS one", options);
      statement.close(options);
      statement.close(options); // stays in the client
      ByteString unknown = ByteString.copyFromUtf8("unknown");
      Action close = new Action("ClosePreparedStatement", Any.pack(
          ActionClosePreparedStatementRequest.newBuilder().setPreparedStatementHandle(unknown).build()).toByteArray());
      for (int time = 0; time < 2; time++) {
        holds(!connection.flight.doAction(close, options).hasNext(), "a result");
      }
    });
    check("Q8", "no rows, but columns", () -> {
      String none = BY_BRANCH.replace("GROUP BY", "WHERE branch = 'nowhere' GROUP BY");
      try (Prepared statement = new Prepared(connection, none)) {
        FlightInfo info = statement.get().execute(options);
        equal(List.of("month", "branch", "balance"), names(info.getSchema()));
        equal(List.of(), connection.rows(info, statement.get().getResultSetSchema()));
      }
    });
    check("Q9", "the schema of a statement, prepared or not, and of metadata", () -> {
      Schema sent = sql.execute(BY_BRANCH, options).getSchema();
      equal(sent.getFields(), sql.getExecuteSchema(BY_BRANCH, options).getSchema().getFields());
      try (Prepared statement = new Prepared(connection, BY_BRANCH)) {
        equal(sent.getFields(), statement.get().fetchSchema(options).getSchema().getFields());
      }
      equal(Schemas.GET_CATALOGS_SCHEMA, sql.getCatalogsSchema(options).getSchema());
      equal(Schemas.GET_SCHEMAS_SCHEMA, sql.getSchemasSchema(options).getSchema());
      equal(Schemas.GET_TABLES_SCHEMA, sql.getTablesSchema(true, options).getSchema());
      equal(Schemas.GET_TABLES_SCHEMA_NO_SCHEMA, sql.getTablesSchema(false, options).getSchema());
      equal(Schemas.GET_TABLE_TYPES_SCHEMA, sql.getTableTypesSchema(options).getSchema());
      samePrimaryKeys(sql.getPrimaryKeysSchema(options).getSchema());
      equal(Schemas.GET_IMPORTED_KEYS_SCHEMA, sql.getImportedKeysSchema(options).getSchema());
      equal(Schemas.GET_EXPORTED_KEYS_SCHEMA, sql.getExportedKeysSchema(options).getSchema());
      equal(Schemas.GET_CROSS_REFERENCE_SCHEMA, sql.getCrossReferenceSchema(options).getSchema());
      equal(sql.getSqlInfo(new int[0], options).getSchema(), sql.getSqlInfoSchema(options).getSchema());
      equal(sql.getXdbcTypeInfo(options).getSchema(), sql.getXdbcTypeInfoSchema(options).getSchema());
    });
  }

  /** A prepared statement that is closed with the connection's credentials. */
  static final class Prepared implements AutoCloseable {
    private final Connection connection;
    private final PreparedStatement statement;

    Prepared(Connection connection, String sql) {
      this.connection = connection;
      this.statement = connection.sql.prepare(sql, connection.options);
    }

    PreparedStatement get() {
      return statement;
    }

    void bind(Object[]... rows) {
      statement.setParameters(parameters(statement.getParameterSchema(), rows));
    }

    @Override
    public void close() {
      statement.close(connection.options);
    }
  }

  // -- what the server refuses

  static void refusals(Connection connection) {
    FlightSqlClient sql = connection.sql;
    CallOption[] options = connection.options;
    String insert = "INSERT INTO " + CUBE + " VALUES (1)";
    for (String text : List.of(insert, "CREATE TABLE t (a INT)", "SET a = 1", "SELECT 1; SELECT 2")) {
      check("Q10", text, () -> {
        refused(Status.Code.INVALID_ARGUMENT, "READ_ONLY", () -> sql.execute(text, options));
        refused(Status.Code.INVALID_ARGUMENT, "READ_ONLY", () -> sql.getExecuteSchema(text, options));
        refused(Status.Code.INVALID_ARGUMENT, "READ_ONLY", () -> sql.prepare(text, options));
      });
    }
    check("Q11", "executeUpdate, prepared or not", () -> {
      refused(Status.Code.INVALID_ARGUMENT, "READ_ONLY", () -> sql.executeUpdate("DELETE FROM " + CUBE, options));
      try (Prepared statement = new Prepared(connection, "SELECT 1 AS one")) {
        refused(Status.Code.INVALID_ARGUMENT, "READ_ONLY", () -> statement.get().executeUpdate(options));
      }
    });
    check("Q12", "executeIngest", () -> {
      Schema schema = new Schema(List.of(Field.nullable("1", ArrowType.Utf8.INSTANCE)));
      try (VectorSchemaRoot rows = parameters(schema, row("x"))) {
        FlightSqlClient.ExecuteIngestOptions into =
            new FlightSqlClient.ExecuteIngestOptions("t", TableDefinitionOptions.getDefaultInstance(), null, null, null);
        refused(Status.Code.UNIMPLEMENTED, "UNIMPLEMENTED", () -> sql.executeIngest(rows, into, options));
      }
    });
    check("Q13", "Substrait plans, prepared or not", () -> {
      FlightSqlClient.SubstraitPlan plan = new FlightSqlClient.SubstraitPlan(new byte[] {1}, "0.1");
      refused(Status.Code.UNIMPLEMENTED, "UNIMPLEMENTED", () -> sql.executeSubstrait(plan, options));
      refused(Status.Code.UNIMPLEMENTED, "UNIMPLEMENTED", () -> sql.prepare(plan, options));
    });
    check("errors", "unknown objects, syntax, tickets of others", () -> {
      for (String missing : List.of("no_such_table", "no_such_schema.deposits", CUBE + "x")) {
        refused(Status.Code.NOT_FOUND, "NO_SUCH_OBJECT", () -> sql.execute("SELECT a FROM " + missing, options));
      }
      refused(Status.Code.NOT_FOUND, "NO_SUCH_OBJECT", () -> sql.execute("SELECT no_such_column FROM " + CUBE, options));
      refused(Status.Code.INVALID_ARGUMENT, "SQL_SYNTAX", () -> sql.execute("SELEC 1", options));
      refused(Status.Code.INVALID_ARGUMENT, "SQL_SYNTAX", () -> sql.execute("", options));
      FlightInfo info = sql.execute(BY_BRANCH, options);
      try (Connection branch = Connection.byToken(System.getenv("BRANCH_TOKEN"))) {
        String others = refused(Status.Code.NOT_FOUND, "TICKET", () -> branch.rows(info));
        Ticket forged = new Ticket("nonsense".getBytes(StandardCharsets.UTF_8));
        String unknown = refused(Status.Code.NOT_FOUND, "TICKET", () -> {
          try (FlightStream stream = branch.sql.getStream(forged, branch.options)) {
            stream.getSchema();
          }
        });
        equal(unknown, others);
      }
    });
    check("E5", "all actions", () -> {
      Set<String> actions = new TreeSet<>();
      connection.flight.listActions(options).forEach(action -> actions.add(action.getType()));
      equal(13, actions.size());
      holds(actions.containsAll(Set.of("CreatePreparedStatement", "CancelFlightInfo", "CloseSession")), actions);
    });
  }

  // -- T

  static void transactions(Connection connection) {
    FlightSqlClient sql = connection.sql;
    CallOption[] options = connection.options;
    for (boolean commit : new boolean[] {true, false}) {
      check("T1", commit ? "commit" : "rollback", () -> {
        Transaction transaction = sql.beginTransaction(options);
        JsonNode first = JSON.readTree(sql.execute(BY_BRANCH, transaction, options).getAppMetadata());
        List<Map<String, Object>> rows = connection.rows(sql.execute(BY_BRANCH, transaction, options));
        PreparedStatement statement = sql.prepare(BY_BRANCH, transaction, options);
        FlightInfo info = statement.execute(options);
        equal(first.get("snapshot"), JSON.readTree(info.getAppMetadata()).get("snapshot"));
        equal(rows, connection.rows(info));
        statement.close(options);
        for (int time = 0; time < 2; time++) {
          if (commit) {
            sql.commit(transaction, options);
          } else {
            sql.rollback(transaction, options);
          }
        }
        String said =
            refused(Status.Code.FAILED_PRECONDITION, "EXPIRED", () -> sql.execute(BY_BRANCH, transaction, options));
        holds(said.contains("call commit() or connect with autocommit"), said);
      });
    }
    check("T1", "a forged transaction", () -> refused(Status.Code.NOT_FOUND, "TICKET",
        () -> sql.execute(BY_BRANCH, new Transaction("forged".getBytes(StandardCharsets.UTF_8)), options)));
    check("T2", "no savepoints", () -> {
      Transaction transaction = sql.beginTransaction(options);
      refused(Status.Code.UNIMPLEMENTED, "UNIMPLEMENTED", () -> sql.beginSavepoint(transaction, "here", options));
      sql.rollback(transaction, options);
    });
  }

  // -- X

  @SuppressWarnings("deprecation") // older programs send CancelQuery
  static void cancelling(Connection connection) {
    FlightSqlClient sql = connection.sql;
    CallOption[] options = connection.options;
    check("X1", "nothing runs yet", () -> {
      FlightInfo info = sql.execute(BY_BRANCH, options);
      equal(CancelStatus.NOT_CANCELLABLE, sql.cancelFlightInfo(new CancelFlightInfoRequest(info), options).getStatus());
    });
    check("X1", "a running statement", () -> {
      FlightInfo info = sql.execute(ENDLESS, options);
      try (FlightStream stream = sql.getStream(info.getEndpoints().get(0).getTicket(), options)) {
        holds(stream.next(), "no row");
        CancelFlightInfoRequest request = new CancelFlightInfoRequest(info);
        try (Connection branch = Connection.byToken(System.getenv("BRANCH_TOKEN"))) {
          refused(Status.Code.NOT_FOUND, "TICKET", () -> branch.sql.cancelFlightInfo(request, branch.options));
        }
        equal(CancelStatus.CANCELLED, sql.cancelFlightInfo(request, options).getStatus());
        refused(Status.Code.CANCELLED, "CANCELLED", () -> {
          while (stream.next()) {
            continue;
          }
        });
      }
    });
    check("X2", "the older form", () -> {
      FlightInfo info = sql.execute(ENDLESS, options);
      equal(CancelResult.NOT_CANCELLABLE, sql.cancelQuery(info, options));
      try (FlightStream stream = sql.getStream(info.getEndpoints().get(0).getTicket(), options)) {
        holds(stream.next(), "no row");
        equal(CancelResult.CANCELLED, sql.cancelQuery(info, options));
        refused(Status.Code.CANCELLED, "CANCELLED", () -> {
          while (stream.next()) {
            continue;
          }
        });
      }
    });
    check("X5", "a later expiry", () -> {
      FlightInfo info = sql.execute(BY_BRANCH, options);
      FlightEndpoint endpoint = info.getEndpoints().get(0);
      FlightEndpoint renewed = sql.renewFlightEndpoint(new RenewFlightEndpointRequest(endpoint), options);
      holds(!renewed.getExpirationTime().orElseThrow().isBefore(endpoint.getExpirationTime().orElseThrow()), renewed);
      try (FlightStream stream = sql.getStream(renewed.getTicket(), options)) {
        equal(info.getSchema().getFields(), stream.getSchema().getFields());
        holds(stream.next(), "no row");
      }
    });
  }

  // -- O

  static Map<String, SetSessionOptionsResult.ErrorValue> assign(Connection connection, String name, String value) {
    SetSessionOptionsRequest request =
        new SetSessionOptionsRequest(Map.of(name, SessionOptionValueFactory.makeSessionOptionValue(value)));
    SetSessionOptionsResult result = connection.sql.setSessionOptions(request, connection.options);
    Map<String, SetSessionOptionsResult.ErrorValue> errors = new HashMap<>();
    if (result.hasErrors()) {
      result.getErrors().forEach((option, error) -> errors.put(option, error.value));
    }
    return errors;
  }

  static String option(Connection connection, String name) {
    GetSessionOptionsResult result = connection.sql.getSessionOptions(new GetSessionOptionsRequest(), connection.options);
    return result.getSessionOptions().get(name).acceptVisitor(new NoOpSessionOptionValueVisitor<String>() {
      @Override
      public String visit(String value) {
        return value;
      }
    });
  }

  static void sessions(Connection connection) {
    check("O1", "the driver's catalog, a schema, and what is not taken", () -> {
      equal(Map.of(), assign(connection, "catalog", "countinghouse"));
      equal(Map.of(), assign(connection, "schema", "beijing"));
      equal("beijing", option(connection, "schema"));
      equal(Map.of("catalog", SetSessionOptionsResult.ErrorValue.INVALID_VALUE), assign(connection, "catalog", "other"));
      equal(Map.of("no_such", SetSessionOptionsResult.ErrorValue.INVALID_NAME), assign(connection, "no_such", "1"));
      sameAsOverHttp("SELECT branch, SUM(balance) AS balance FROM beijing.deposits GROUP BY branch",
          connection.query("SELECT branch, SUM(balance) AS balance FROM deposits GROUP BY branch"));
    });
    check("O2", "what holds", () -> {
      equal("countinghouse", option(connection, "catalog"));
      equal("beijing", option(connection, "schema"));
    });
    check("O3", "the options go, the token stays", () -> {
      equal(CloseSessionResult.Status.CLOSED,
          connection.sql.closeSession(new CloseSessionRequest(), connection.options).getStatus());
      equal("head_office", option(connection, "schema"));
    });
  }
}
