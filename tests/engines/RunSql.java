import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;

/** Runs a file of Flink SQL in this process, then prints the rows of tables, fields apart by tabs. */
public class RunSql {
    private static final Pattern SETTING = Pattern.compile("SET '(.*)' = '(.*)'");

    public static void main(String[] arguments) throws Exception {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inBatchMode());
        for (String statement : Files.readString(Path.of(arguments[0])).split(";\n")) {
            Matcher setting = SETTING.matcher(statement.strip());
            if (setting.matches()) {
                tables.getConfig().set(setting.group(1), setting.group(2));
            } else if (!statement.isBlank()) {
                tables.executeSql(statement);
            }
        }
        for (int number = 1; number < arguments.length; number++) {
            Iterator<Row> rows = tables.executeSql("SELECT * FROM " + arguments[number]).collect();
            while (rows.hasNext()) {
                Row row = rows.next();
                StringBuilder line = new StringBuilder(arguments[number]);
                for (int field = 0; field < row.getArity(); field++) {
                    line.append('\t').append(row.getField(field));
                }
                System.out.println(line);
            }
        }
    }
}
